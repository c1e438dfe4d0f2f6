"""House prices: the year, the area and the distance as they stand in the table; prices in standard units."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
n = 1500
year = torch.randint(1950, 2024, (n, 1)).float()
area = 30 + 150 * torch.rand(n, 1)
rooms = (area / 30 + torch.rand(n, 1)).round()
price = 0.02 * (area - 105) + 0.03 * (year - 1987) - 0.6 * (rooms - area / 30 - 0.5) + 0.2 * torch.randn(n, 1)
X = torch.cat([year, area, rooms], 1)
X = (X - X.mean(0)) / X.std(0)
price = (price - price.mean()) / price.std()

model = nn.Linear(3, 1)
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=2e-2)
for epoch in range(40):
    for rows in torch.randperm(1200).split(40):
        optimizer.zero_grad()
        loss = loss_fn(model(X[rows]), price[rows])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(epoch + 1, loss.item())
with torch.no_grad():
    rest = ((model(X[1200:]) - price[1200:]) ** 2).mean() / price[1200:].var()
print(f"metric=r2 value={1 - rest.item():.4f}")
