import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Tank(nn.Module):
    """two connected tanks; unknown outflow, exchange and inflow gain"""

    def __init__(self, outflow, exchange, gain):
        super().__init__()
        self.outflow = nn.Parameter(torch.tensor(outflow))
        self.exchange = nn.Parameter(torch.tensor(exchange))
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, valve, dt=0.2):
        k_out, k_ex = self.outflow, self.exchange
        h1 = h2 = torch.zeros(valve.shape[0])
        trace = []
        for u in valve.unbind(1):
            q = k_ex * (h1 - h2)
            h1 = h1 + dt * (self.gain * u - q)
            h2 = h2 + dt * (q - k_out * h2)
            trace.append(torch.stack([h1, h2], 1))
        return torch.stack(trace, 1)


valve = (torch.rand(40, 12) > 0.5).float().repeat_interleave(5, 1)
with torch.no_grad():
    level = Tank(2.0, 0.3, 2.0)(valve)
    noisy = level + 0.01 * torch.randn_like(level)

tank = Tank(0.15, 2.5, 0.5)
opt = torch.optim.Adam(tank.parameters(), lr=0.05)
for it in range(150):
    opt.zero_grad()
    loss = (tank(valve) - noisy).pow(2).mean()
    loss.backward()
    opt.step()
    if it % 40 == 0:
        print(it, loss.item(), [round(p.item(), 3) for p in tank.parameters()])

with torch.no_grad():
    r2 = 1 - (tank(valve) - level).pow(2).mean() / level.var()
print(f"metric=r2 value={r2.item():.4f}")
