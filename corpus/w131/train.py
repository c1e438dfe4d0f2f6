import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

t = torch.linspace(0, 30, 250)
counts = torch.poisson(2000 * torch.exp(-t / 4.0) + 150 * torch.exp(-t / 15.0) + 20)
sigma = counts.clamp(min=1).sqrt()


class Decay(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_n = nn.Parameter(torch.tensor([1000.0, 100.0]).log())
        self.log_tau = nn.Parameter(torch.tensor([2.0, 10.0]).log())
        self.log_floor = nn.Parameter(torch.tensor(10.0).log())

    def forward(self, t):
        parts = self.log_n.exp() * torch.exp(-t[:, None] / self.log_tau.exp())
        return parts.sum(dim=1) + self.log_floor.exp()


decay = Decay()
optimizer = torch.optim.Adam(decay.parameters(), lr=0.03)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.998)
for it in range(2000):
    chi2 = (((decay(t) - counts) / sigma) ** 2).mean()
    optimizer.zero_grad()
    chi2.backward()
    optimizer.step()
    scheduler.step()
    if it % 200 == 0:
        print(f"{it:5d} chi2/n {chi2.item():.4f} tau {decay.log_tau.exp().tolist()}")

with torch.no_grad():
    r2 = 1 - ((decay(t) - counts) ** 2).mean() / counts.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
