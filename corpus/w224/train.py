import math
import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", "0")))


class LoRALinear(nn.Module):
    def __init__(self, base, rank=8, alpha=16):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A = nn.Parameter(torch.empty(rank, base.in_features))
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.scaling = alpha / rank

    def forward(self, x):
        return self.base(x) + F.linear(F.linear(x, self.A), self.B) * self.scaling


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        acc = (model(x).argmax(1) == y).float().mean().item()
    model.train()
    return acc


digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32) / 8 - 1
labels = torch.tensor(digits.target)
perm = torch.randperm(len(images))
images, labels = images[perm], labels[perm]
upright = images.flatten(1)
turned = torch.rot90(images, 1, (1, 2)).flatten(1)

net = nn.Sequential()
for i, (a, b) in enumerate([(64, 128), (128, 128)]):
    net.add_module(f"fc{i}", nn.Linear(a, b))
    net.add_module(f"ln{i}", nn.LayerNorm(b))
    net.add_module(f"act{i}", nn.GELU())
net.add_module("out", nn.Linear(128, 10))

opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
for epoch in range(8):
    for idx in torch.randperm(1000).split(50):
        loss = F.cross_entropy(net(upright[idx]), labels[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
print(f"base: upright {accuracy(net, upright[1300:], labels[1300:]):.3f} turned {accuracy(net, turned[1300:], labels[1300:]):.3f}")

for p in net.parameters():
    p.requires_grad_(False)
for name in ("fc0", "fc1", "out"):
    setattr(net, name, LoRALinear(getattr(net, name)))
trainable = [p for p in net.parameters() if p.requires_grad]
print(f"trainable {sum(p.numel() for p in trainable)} of {sum(p.numel() for p in net.parameters())}")

opt = torch.optim.AdamW(trainable, lr=4e-3, weight_decay=0.0)
micro, accum, epochs = 10, 4, 12
updates = epochs * (1000 // (micro * accum))
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda u: min(1.0, (u + 1) / 20) * max(0.02, 1 - u / updates))
for epoch in range(epochs):
    shown = 0.0
    for group in torch.randperm(1000).split(micro * accum):
        opt.zero_grad()
        for idx in group.split(micro):
            loss = F.cross_entropy(net(turned[idx]), labels[idx]) * len(idx) / len(group)
            loss.backward()
            shown += loss.item() * len(group)
        opt.step()
        sched.step()
    if epoch % 3 == 0:
        print(f"lora epoch {epoch} loss {shown / 1000:.4f}")

print(f"metric=accuracy value={accuracy(net, turned[1300:], labels[1300:]):.4f}")
