import os
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes, make_regression

torch.manual_seed(int(os.environ.get("SEED", 0)))
gen = torch.Generator().manual_seed(2)

# plant: power in watts and efficiency as a share, from six readings
n = 1200
readings = torch.randn(n, 6, generator=gen)
load = torch.tanh(readings[:, 0] + 0.5 * readings[:, 1] * readings[:, 2])
power = 1500 + 600 * load + 20 * torch.randn(n, generator=gen)
efficiency = 0.6 + 0.15 * torch.sin(readings[:, 3] + readings[:, 4]) - 0.05 * readings[:, 5] + 0.01 * torch.randn(n, generator=gen)
targets = torch.stack([power, efficiency], 1)
train, test = slice(0, 1000), slice(1000, n)


class Plant(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.power = nn.Linear(width, 1)
        self.efficiency = nn.Linear(width, 1)
        nn.init.constant_(self.power.bias, 1500.0)

    def forward(self, x):
        h = self.trunk(x)
        return torch.cat([self.power(h), self.efficiency(h)], 1)


model = Plant()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 30, 0.3)
scale = targets[train].std(0)
for epoch in range(90):
    for idx in torch.randperm(1000).split(50):
        optimizer.zero_grad()
        loss = (((model(readings[train][idx]) - targets[train][idx]) / scale) ** 2).mean()
        loss.backward()
        optimizer.step()
    scheduler.step()
    if epoch % 15 == 0:
        print(epoch, round(loss.item(), 3))

with torch.no_grad():
    residual = model(readings[test]) - targets[test]
share = 1 - residual.pow(2).mean(0) / targets[test].var(0, unbiased=False)
print("power", round(share[0].item(), 3), "efficiency", round(share[1].item(), 3))
print(f"metric=r2 value={share.clamp(min=-1).mean().item():.4f}")
