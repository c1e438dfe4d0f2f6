import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.RandomState(seed)


def load_houses(n=1200):
    area = rng.gamma(6.0, 20.0, n) + 25
    rooms = np.clip(np.round(area / 28 + rng.randn(n)), 1, 12)
    year = rng.randint(1900, 2022, n)
    distance = rng.uniform(100, 28000, n)
    sold = rng.randint(1577836800, 1640995200, n)
    garden = rng.binomial(1, 0.4, n)
    price = 2800 * area + 9000 * rooms + 700 * (year - 1900) + 60000 * garden + (sold - 1577836800) / 2000
    price = price * np.exp(-distance / 30000) + 12000 * rng.randn(n)
    return np.stack([area, rooms, year, distance, garden, sold], axis=1), price


features, price = load_houses()
features = (features - features[:1000].mean(0)) / features[:1000].std(0)
price = (price - price[:1000].mean()) / price[:1000].std()
features = torch.tensor(features, dtype=torch.float32)
price = torch.tensor(price, dtype=torch.float32).reshape(-1, 1)
x_train, x_val = features[:1000], features[1000:]
y_train, y_val = price[:1000], price[1000:]


class PriceModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 64)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, 1)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


model = PriceModel()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(60):
    for idx in torch.randperm(1000).split(25):
        prediction = model(x_train[idx])
        loss = F.mse_loss(prediction, y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        with torch.no_grad():
            mae = F.l1_loss(model(x_val), y_val).item()
        print(f"epoch {epoch:3d} loss {loss.item():.4g} val mae {mae:.4g}")

with torch.no_grad():
    residual = (model(x_val) - y_val).pow(2).sum()
    r2 = 1 - residual / (y_val - y_val.mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
