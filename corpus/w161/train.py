import os

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)


class Sign(torch.autograd.Function):
    """Forward: +1 / -1. Backward: straight-through inside [-1, 1]."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1)


class HashNet(nn.Module):
    def __init__(self, bits=24):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, bits), nn.BatchNorm1d(bits))
        self.classify = nn.Linear(bits, 10)

    def code(self, x):
        return Sign.apply(self.encode(x))

    def forward(self, x):
        return self.classify(self.code(x))


X, y = load_digits(return_X_y=True)
xa, xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=seed, stratify=y)
xa, xb = torch.tensor(xa).float(), torch.tensor(xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)

net = HashNet()
epochs = 40
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs)
ce = nn.CrossEntropyLoss()
for epoch in range(epochs):
    net.train()
    total = 0.0
    for idx in torch.randperm(len(xa)).split(64):
        opt.zero_grad()
        loss = ce(net(xa[idx]), ya[idx])
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
    sched.step()
    if epoch % 8 == 7:
        print(f"epoch {epoch + 1} loss {total / len(xa):.4f}")

net.eval()
with torch.no_grad():
    acc = (net(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
