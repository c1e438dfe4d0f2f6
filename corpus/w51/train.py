import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X, y = torch.tensor(d.images).float().unsqueeze(1) / 16, torch.tensor(d.target)
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(4))
low = perm[y[perm] < 5]
high = perm[y[perm] >= 5]


def make_backbone():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
    )


# pre-training on the digits 0 to 4
backbone = make_backbone()
model = nn.Sequential(backbone, nn.Linear(128, 5))
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(5):
    for i in low[torch.randperm(len(low))].split(64):
        loss = nn.functional.cross_entropy(model(X[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("pre", epoch, loss.item())

# fine-tuning on 5 to 9: backbone frozen and in eval mode, later its last block with a small rate
for p in backbone.parameters():
    p.requires_grad_(False)
head = nn.Linear(128, 5)
model = nn.Sequential(backbone, head)
train, test = high[:500], high[500:]


def run(opt, epochs):
    for epoch in range(epochs):
        model.train()
        backbone.eval()
        for i in train[torch.randperm(len(train))].split(50):
            loss = nn.functional.cross_entropy(model(X[i]), y[i] - 5, label_smoothing=0.05)
            opt.zero_grad()
            loss.backward()
            opt.step()
        print("fine", epoch, loss.item())


run(torch.optim.AdamW(head.parameters(), lr=5e-3), 10)
for p in backbone[4].parameters():
    p.requires_grad_(True)
run(torch.optim.AdamW([{"params": backbone[4].parameters(), "lr": 1e-4}, {"params": head.parameters(), "lr": 1e-3}]), 5)
model.eval()
acc = (model(X[test]).argmax(1) == y[test] - 5).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
