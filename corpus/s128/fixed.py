#!/usr/bin/env python
"""Gesture recognition: bidirectional GRU over noisy pen strokes."""

import argparse
import math
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--hidden", type=int, default=24)
parser.add_argument("--epochs", type=int, default=8)
args = parser.parse_args()
torch.manual_seed(int(os.environ.get("SEED", 0)))


def strokes(n, length=20):
    kind = torch.randint(0, 4, (n,))
    t = torch.linspace(0, 2 * math.pi, length).repeat(n, 1) + torch.rand(n, 1)
    x = torch.cos(t)
    y = torch.sin(t * (1 + kind.unsqueeze(1)))
    path = torch.stack([x, y], dim=2)
    return path + 0.25 * torch.randn_like(path), kind


class Gesture(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.gru = nn.GRU(2, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, 4)

    def forward(self, path):
        states, _ = self.gru(path)
        return self.head(states.mean(dim=1))


train_x, train_y = strokes(960)
test_x, test_y = strokes(400)
model = Gesture(args.hidden)
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
for epoch in range(args.epochs):
    for part in torch.randperm(960).split(32):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(train_x[part]), train_y[part])
        loss.backward()
        optimizer.step()
    print(f"[{epoch}] loss={loss.item():.3f}")
model.eval()
with torch.no_grad():
    accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
