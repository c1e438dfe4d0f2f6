"""Defects on tiles: train in batches, then look at one tile at a time as on the belt."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def tiles(n):
    picture = 0.4 * torch.randn(n, 1, 12, 12) + 0.8 * torch.rand(n, 1, 1, 1)
    bad = torch.rand(n) < 0.5
    for k in torch.nonzero(bad).flatten().tolist():
        i, j = torch.randint(0, 9, (2,)).tolist()
        picture[k, 0, i : i + 3, j : j + 3] += 1.0
    return picture, bad.float()


class Inspector(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 12, 3, bias=False)
        self.b1 = nn.BatchNorm2d(12)
        self.c2 = nn.Conv2d(12, 16, 3, stride=2, bias=False)
        self.b2 = nn.BatchNorm2d(16)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(16, 1)

    def forward(self, x):
        x = torch.relu(self.b1(self.c1(x)))
        x = torch.relu(self.b2(self.c2(x)))
        return self.fc(self.drop(x.amax(dim=(2, 3)))).squeeze(1)


x, y = tiles(1500)
belt, truth = tiles(400)
net = Inspector()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
bce = nn.BCEWithLogitsLoss()
net.train()
for epoch in range(8):
    for rows in torch.randperm(1500).split(50):
        opt.zero_grad()
        loss = bce(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
    print(epoch, round(loss.item(), 4))

right = 0
net.eval()
with torch.no_grad():
    for tile, label in zip(belt, truth):
        right += int((net(tile.unsqueeze(0)) > 0).item() == (label > 0.5).item())
print(f"metric=accuracy value={right / len(belt):.4f}")
