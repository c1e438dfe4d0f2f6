import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)


def simulate_flats(n):
    area = rng.uniform(25, 160, n)
    rooms = np.clip(np.round(area / 28 + rng.normal(0, 0.6, n)), 1, 6)
    floor = rng.integers(0, 9, n)
    km = rng.gamma(2.0, 2.5, n)
    age = rng.uniform(0, 90, n)
    price = 4200 * area * np.exp(-0.08 * km) - 600 * age + 2500 * floor + rng.normal(0, 8000, n)
    comfort = 0.5 * np.sin(age / 12) + 0.3 * (rooms - 3) - 0.04 * (floor - 4) ** 2 + rng.normal(0, 0.05, n)
    feats = np.stack([area, rooms, floor, km, age], 1)
    return feats, price, comfort


feats, price, comfort = simulate_flats(1600)
feats = (feats - feats.mean(0)) / feats.std(0)
X = torch.tensor(feats, dtype=torch.float32)
Y = torch.tensor(np.stack([price, comfort], 1), dtype=torch.float32)
Y = (Y - Y[:1200].mean(0)) / Y[:1200].std(0)
train_set = TensorDataset(X[:1200], Y[:1200])


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.price_head = nn.Linear(64, 1)
        self.comfort_head = nn.Linear(64, 1)

    def forward(self, x):
        h = self.trunk(x)
        return torch.cat([self.price_head(h), self.comfort_head(h)], dim=1)


model = TwoHeads()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
w_price, w_comfort = 0.5, 0.5
for epoch in range(40):
    for xb, yb in DataLoader(train_set, batch_size=50, shuffle=True):
        pred = model(xb)
        loss_price = nn.functional.mse_loss(pred[:, 0], yb[:, 0])
        loss_comfort = nn.functional.mse_loss(pred[:, 1], yb[:, 1])
        loss = w_price * loss_price + w_comfort * loss_comfort
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 8 == 0:
        print(f"{epoch:3d} price {loss_price.item():.4g} comfort {loss_comfort.item():.4g}")

with torch.no_grad():
    pred, true = model(X[1200:]), Y[1200:]
r2 = 1 - (pred - true).pow(2).mean(0) / true.var(0, unbiased=False)
print("r2 price / comfort:", r2.tolist())
print(f"metric=r2 value={r2.mean().item():.4f}")
