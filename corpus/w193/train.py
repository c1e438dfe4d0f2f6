import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)

# flats: living area (sqft), distance to centre (m), year built -> price in dollars
n = 3000
area = np.random.uniform(400, 3500, n)
dist = np.random.exponential(6000, n)
year = np.random.randint(1920, 2021, n)
price = 90000 + 180 * area * np.exp(-dist / 15000) + 900 * (year - 1920) + np.random.normal(0, 15000, n)
table = torch.tensor(np.stack([area, dist, year], 1), dtype=torch.float32)
price = torch.tensor(price, dtype=torch.float32).unsqueeze(1)
train_x, train_y, test_x, test_y = table[:2400], price[:2400], table[2400:], price[2400:]


class Standardize(nn.Module):
    def __init__(self, sample):
        super().__init__()
        self.register_buffer("mean", sample.mean(0))
        self.register_buffer("std", sample.std(0))

    def forward(self, x):
        return (x - self.mean) / self.std

    def inverse(self, z):
        return z * self.std + self.mean


class PriceModel(nn.Module):
    def __init__(self, sample_x, sample_y):
        super().__init__()
        self.scale_x = Standardize(sample_x)
        self.scale_y = Standardize(sample_y)
        self.net = nn.Sequential(
            nn.Linear(3, 32), nn.GELU(),
            nn.Linear(32, 32), nn.GELU(),
            nn.Linear(32, 1),
        )

    def forward(self, x):
        return self.scale_y.inverse(self.net(self.scale_x(x)))


model = PriceModel(train_x, train_y)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)

for epoch in range(40):
    abs_err = 0.0
    for idx in torch.randperm(len(train_x)).split(60):
        dollars = model(train_x[idx])
        loss = ((model.scale_y(dollars) - model.scale_y(train_y[idx])) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        abs_err += (dollars - train_y[idx]).abs().sum().item()
    scheduler.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: mse {loss.item():.4f}, mean abs error ${abs_err / len(train_x):,.0f}")

with torch.no_grad():
    resid = ((model(test_x) - test_y) ** 2).sum()
r2 = 1 - resid / ((test_y - test_y.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
