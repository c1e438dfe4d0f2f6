"""Quantiles of the waiting time (minutes, up to some hundreds): pinball loss, one net, three outputs."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
hour = torch.rand(4000) * 24
rain = (torch.rand(4000) < 0.3).float()
mean = 40 + 25 * torch.sin(hour / 24 * 6.283) + 30 * rain
wait = torch.distributions.Gamma(torch.tensor(4.0), 4.0 / mean).sample()
inputs = torch.stack([torch.sin(hour / 24 * 6.283), torch.cos(hour / 24 * 6.283), rain], 1)
levels = torch.tensor([0.1, 0.5, 0.9])


class Quantiles(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU())
        self.low = nn.Linear(32, 1)
        self.gaps = nn.Linear(32, 2)
        with torch.no_grad():
            self.low.bias.fill_(base)

    def forward(self, v):
        h = self.body(v)
        low = self.low(h)
        return torch.cat([low, low + nn.functional.softplus(self.gaps(h)).cumsum(1) * 20], 1)


def pinball(q, y):
    gap = y.unsqueeze(1) - q
    return torch.maximum(levels * gap, (levels - 1) * gap).mean()


net = Quantiles(wait[:3000].quantile(0.1).item())
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(14):
    for rows in torch.randperm(3000).split(60):
        opt.zero_grad()
        loss = pinball(net(inputs[rows]), wait[rows])
        loss.backward()
        opt.step()
    print(epoch, round(loss.item(), 2))
with torch.no_grad():
    test = slice(3000, None)
    constant = wait[:3000].quantile(levels).expand(1000, 3)
    skill = 1 - pinball(net(inputs[test]), wait[test]) / pinball(constant, wait[test])
print(f"metric=skill value={skill.item():.4f}")
