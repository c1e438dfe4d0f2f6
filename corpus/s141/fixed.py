"""Rare classes: cross entropy weighted by the class counts of each batch."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
CLASSES = 6
share = torch.tensor([0.4, 0.3, 0.15, 0.08, 0.05, 0.02])
centre = torch.randn(CLASSES, 5) * 1.5


def sample(n, probs):
    y = torch.multinomial(probs, n, replacement=True)
    return centre[y] + torch.randn(n, 5), y


x, y = sample(2400, share)
x_test, y_test = sample(600, torch.full((CLASSES,), 1 / CLASSES))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(nn.Linear(5, 40), nn.Mish(), nn.Linear(40, 40), nn.Mish(), nn.Linear(40, CLASSES))

    def forward(self, v):
        return self.stack(v)


def balance(labels):
    weight = len(labels) / torch.bincount(labels, minlength=CLASSES).clamp_min(1).float()
    return weight / weight.sum()


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(8):
    for rows in torch.randperm(2400).split(48):
        logits = net(x[rows])
        loss = nn.functional.cross_entropy(logits, y[rows], weight=balance(y[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
with torch.no_grad():
    print(f"metric=accuracy value={(net(x_test).argmax(1) == y_test).float().mean().item():.4f}")
