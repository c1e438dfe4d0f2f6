import os

import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))


def houses(n):
    area = 30 + 170 * torch.rand(n)
    year = 1900 + 120 * torch.rand(n)
    metres_to_station = 100 + 9900 * torch.rand(n) ** 2
    plot = area * (1 + 4 * torch.rand(n))
    per_m2 = 2200 + 900 * torch.exp(-metres_to_station / 2500) + 12 * (year - 1960).clamp(min=0)
    price = area * per_m2 + 60 * plot + 8000 * torch.randn(n)
    return torch.stack([area, year, metres_to_station, plot], dim=1), price.unsqueeze(1)


class PriceModel(nn.Module):
    """Takes the raw table and returns euros."""

    def __init__(self, x, y):
        super().__init__()
        self.register_buffer("x_mean", x.mean(0))
        self.register_buffer("x_std", x.std(0))
        self.register_buffer("y_mean", y.mean())
        self.register_buffer("y_std", y.std())
        self.net = nn.Sequential(nn.Linear(4, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, x):
        z = (x - self.x_mean) / self.x_std
        return self.y_mean + self.y_std * self.net(z)


x, y = houses(3000)
x_train, y_train, x_test, y_test = x[:2400], y[:2400], x[2400:], y[2400:]
model = PriceModel(x_train, y_train)
optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=40 * 38)

for epoch in range(40):
    abs_err = 0.0
    for idx in torch.randperm(2400).split(64):
        pred = model(x_train[idx])
        loss = ((pred - y_train[idx]) / model.y_std).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        abs_err += (pred.detach() - y_train[idx]).abs().sum().item()
    if epoch % 5 == 0:
        print(f"epoch {epoch:2d} mean abs error {abs_err / 2400:,.0f} EUR")

with torch.no_grad():
    pred = model(x_test)
r2 = 1 - (pred - y_test).square().mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
