"""A model trained on upright pictures is tuned with a small rate for shifted ones."""

import copy
import os
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
images, labels = load_digits(return_X_y=True)
images, labels = torch.tensor(images / 16).float().view(-1, 1, 8, 8), torch.tensor(labels)
moved = torch.roll(images, 1, dims=3)
train, test = slice(0, 1300), slice(1300, None)


def accuracy(net, pictures):
    net.eval()
    with torch.no_grad():
        return (net(pictures[test]).argmax(1) == labels[test]).float().mean().item()


def epochs(net, pictures, optimizer, n, size=26):
    for _ in range(n):
        net.train()
        for rows in torch.randperm(1300).split(size):
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(net(pictures[train][rows]), labels[train][rows])
            loss.backward()
            optimizer.step()


base = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Flatten(), nn.Linear(32 * 16, 10),
)  # fmt: skip
epochs(base, images, torch.optim.Adam(base.parameters(), lr=2e-3), 3)
print("upright", accuracy(base, images), "moved, before", accuracy(base, moved))
tuned = copy.deepcopy(base)
epochs(tuned, moved, torch.optim.AdamW(tuned.parameters(), lr=2e-4, weight_decay=0.01), 5)
print(f"metric=accuracy value={accuracy(tuned, moved):.4f}")
