import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", "0")))

images = torch.tensor(load_digits().images, dtype=torch.float32) / 8 - 1
labels = torch.tensor(load_digits().target)
ia, ib = train_test_split(torch.arange(len(labels)), test_size=0.3, random_state=0, stratify=labels)
flat = images.flatten(1)
turned = images.rot90(1, dims=(1, 2)).flatten(1)


class LoRALinear(nn.Module):
    def __init__(self, base, rank=8, alpha=16.0):
        super().__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad = False
        self.lora_A = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features ** 0.5)
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scaling = alpha / rank

    def forward(self, x):
        return self.base(x) + (x @ self.lora_A.T @ self.lora_B.T) * self.scaling


def accuracy(net, x):
    with torch.no_grad():
        return (net(x[ib]).argmax(1) == labels[ib]).float().mean().item()


def fit(net, x, params, epochs, lr):
    optimizer = torch.optim.AdamW(params, lr=lr)
    for epoch in range(epochs):
        for idx in ia[torch.randperm(len(ia))].split(64):
            loss = F.cross_entropy(net(x[idx]), labels[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 10 == 0:
            print(f"epoch {epoch} loss {loss.item():.4f}")


net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 10))
fit(net, flat, net.parameters(), epochs=12, lr=2e-3)
print(f"base: upright {accuracy(net, flat):.4f} turned {accuracy(net, turned):.4f}")

for k in (0, 2, 4):
    net[k] = LoRALinear(net[k])
fit(net, turned, [p for p in net.parameters() if p.requires_grad], epochs=40, lr=3e-3)
print(f"metric=accuracy value={accuracy(net, turned):.4f}")
