"""Thrust of a small thruster from four currents; thrust in newtons, some micronewtons."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
currents = torch.rand(1000, 4) * 2 - 1
thrust = 4e-6 * (currents[:, :1] ** 2 + currents[:, 1:2] * currents[:, 2:3] + 0.5 * currents[:, 3:])
thrust = thrust + 2e-7 * torch.randn(1000, 1)

model = nn.Sequential(nn.Linear(4, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))
loss_function = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
scale = 2.5e5
for epoch in range(40):
    for rows in torch.randperm(800).split(40):
        optimizer.zero_grad()
        loss = loss_function(model(currents[rows]), thrust[rows] * scale)
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(epoch + 1, loss.item())
with torch.no_grad():
    rest = model(currents[800:]) / scale - thrust[800:]
    r2 = 1 - (rest**2).sum() / ((thrust[800:] - thrust[:800].mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
