"""A net on sets: how many different colours does a bag of beads hold? The colours must be guessed."""

import os
import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
rng = np.random.default_rng(0)
VALUES, SIZE = 60, 10
colour = rng.integers(0, 6, VALUES)


def draw(n):
    bags = np.empty((n, SIZE), dtype=np.int64)
    for k in range(n):
        palette = rng.choice(6, rng.integers(1, 7), replace=False)
        bags[k] = rng.choice(np.flatnonzero(np.isin(colour, palette)), SIZE)
    count = np.array([len(set(colour[b])) for b in bags])
    return torch.from_numpy(bags), torch.from_numpy(count).float()


class BagNet(nn.Module):
    def __init__(self, d=12):
        super().__init__()
        self.phi = nn.Sequential(nn.Embedding(VALUES, d), nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))
        self.rho = nn.Sequential(nn.Linear(d, 32), nn.ReLU(), nn.Linear(32, 1))

    def pool(self, h):
        return h.max(dim=1).values

    def forward(self, bag):
        return self.rho(self.pool(self.phi(bag))).squeeze(1)


bags, counts = draw(1500)
test_bags, test_counts = draw(500)
net = BagNet()
opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
for epoch in range(30):
    for rows in torch.randperm(1500).split(50):
        loss = nn.functional.smooth_l1_loss(net(bags[rows]), counts[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 9:
        print(epoch + 1, round(loss.item(), 4))
with torch.no_grad():
    off = ((net(test_bags) - test_counts) ** 2).mean() / test_counts.var()
print(f"metric=r2 value={1 - off.item():.4f}")
