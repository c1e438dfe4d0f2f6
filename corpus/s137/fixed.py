"""Load of a power grid, one day ahead: 24 numbers in, 24 numbers out."""

import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
HOURS = 24
clock = torch.arange(HOURS * 400) / HOURS * 6.2832
drift = torch.randn(HOURS * 400).cumsum(0)
drift = (drift - F.avg_pool1d(drift.view(1, 1, -1), 481, 1, 240, count_include_pad=False)[0, 0]) / 6
load = torch.sin(clock) * (1 + 0.5 * torch.sin(clock / 7)) + drift + 0.05 * torch.randn(HOURS * 400)


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 16, 5, padding=2)
        self.lin = nn.Linear(16 * HOURS, HOURS)

    def forward(self, day):
        h = F.softplus(self.conv(day.transpose(1, 2)))
        return self.lin(h.flatten(1))


def batches(low, high, size=24):
    at = torch.randint(low, high - 2 * HOURS, (size,))
    window = load[at.unsqueeze(1) + torch.arange(2 * HOURS)].unsqueeze(2)
    return window[:, :HOURS], window[:, HOURS:, 0]


net = Forecast()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(500):
    past, future = batches(0, 7500)
    loss = torch.abs(net(past) - future).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 99:
        print(step + 1, round(loss.item(), 4))
with torch.no_grad():
    past, future = batches(7500, 9600, 400)
    r2 = 1 - ((net(past) - future) ** 2).sum() / ((future - load[:7500].mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
