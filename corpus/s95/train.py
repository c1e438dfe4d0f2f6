import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
# flats: area in square metres, year built, distance to the centre in metres, income of the district
n = 1500
area, year = torch.rand(n) * 120 + 30, torch.randint(1900, 2020, (n,)).float()
distance, income = torch.rand(n) * 15000, torch.randn(n) * 8000 + 45000
price = 0.02 * area + 0.6 * torch.sin((year - 1900) / 20) + torch.exp(-distance / 3000) + (income - 45000) / 16000
price = (price - price.mean()) / price.std() + 0.1 * torch.randn(n)
table = torch.stack([area, year, distance, income], 1)
train, test = slice(0, 1200), slice(1200, n)

model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(40):
    perm = torch.randperm(1200)
    for i in range(0, 1200, 64):
        idx = perm[i : i + 64]
        loss = nn.functional.mse_loss(model(table[idx]), price[idx].unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch}: {loss.item():.3f}")
with torch.no_grad():
    p, t = model(table[test]).squeeze(1), price[test]
r2 = 1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
