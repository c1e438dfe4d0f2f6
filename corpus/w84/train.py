"""Magnitude pruning: train, cut nine tenths of the weights in three rounds, train on."""

import os
import torch
import torch.nn.utils.prune as prune
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 8 - 1).float(), torch.tensor(y)
train, test = slice(0, 1350), slice(1350, None)
net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(net.parameters(), lr=1.5e-3)


def run(epochs):
    for _ in range(epochs):
        for rows in torch.randperm(1350).split(45):
            optimizer.zero_grad()
            loss = nn.functional.multi_margin_loss(net(x[train][rows]), y[train][rows])
            loss.backward()
            optimizer.step()


def accuracy():
    with torch.no_grad():
        return (net(x[test]).argmax(1) == y[test]).float().mean().item()


run(6)
print("dense", accuracy())
for cut in (0.5, 0.6, 0.5):
    targets = [(m, "weight") for m in net if isinstance(m, nn.Linear)]
    prune.global_unstructured(targets, pruning_method=prune.L1Unstructured, amount=cut)
    run(4)
    zero = sum(int((m.weight == 0).sum()) for m, _ in targets) / sum(m.weight.numel() for m, _ in targets)
    print(f"zero {zero:.2f} accuracy {accuracy():.3f}")
print(f"metric=accuracy value={accuracy():.4f}")
