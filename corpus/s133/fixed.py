"""Adapt a trained net to a new kind of picture with low-rank updates; the net itself stays."""

import os
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16).float(), torch.tensor(y)
mirrored = x.view(-1, 8, 8).transpose(1, 2).reshape(-1, 64)
train, test = slice(0, 1200), slice(1200, 1797)


class Adapted(nn.Module):
    def __init__(self, base: nn.Linear, rank: int = 8, alpha: float = 16.0):
        super().__init__()
        self.base = base
        for p in base.parameters():
            p.requires_grad = False
        self.down = nn.Parameter(0.1 * torch.randn(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale = alpha / rank

    def forward(self, v):
        return self.base(v) + self.scale * (v @ self.down.T @ self.up.T)


def fit(net, data, optimizer, epochs):
    for _ in range(epochs):
        for rows in torch.randperm(1200).split(40):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(data[train][rows]), y[train][rows])
            loss.backward()
            optimizer.step()
    return loss.item()


net = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 10))
print("base", fit(net, x, torch.optim.Adam(net.parameters(), lr=2e-3), 8))
net[0], net[2] = Adapted(net[0]), Adapted(net[2])
adapters = [p for p in net.parameters() if p.requires_grad]
print("adapted", fit(net, mirrored, torch.optim.AdamW(adapters, lr=2e-3), 12))
with torch.no_grad():
    accuracy = (net(mirrored[test]).argmax(1) == y[test]).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
