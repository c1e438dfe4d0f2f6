"""Weibull survival regression with right censoring (machine failures, days in service)."""
import os
import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
torch.set_num_threads(1)
gen = np.random.default_rng(seed)

n = 1200
Z = gen.normal(size=(n, 5))
log_scale = 4.5 + 0.6 * Z[:, 0] - 0.5 * Z[:, 1] + 0.4 * np.sin(2 * Z[:, 2])
life = np.exp(log_scale) * gen.weibull(1.6, n)
leave = gen.exponential(150.0, n)
days = np.floor(np.minimum(life, leave)) + 0.5
failed = (life <= leave).astype(np.float32)

Z = torch.tensor(Z, dtype=torch.float32)
days = torch.tensor(days, dtype=torch.float32)
failed = torch.tensor(failed)
tr, te = slice(0, 850), slice(850, n)


class WeibullNet(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(d, 32), nn.Tanh(), nn.Linear(32, 1))
        self.log_k = nn.Parameter(torch.zeros(()))
        nn.init.constant_(self.f[-1].bias, 4.0)

    def forward(self, z):
        return self.f(z).squeeze(-1), self.log_k


def nll(log_lam, log_k, t, event):
    k = log_k.exp()
    u = torch.log(t) - log_lam
    log_hazard = log_k - torch.log(t) + k * u
    return -(event * log_hazard - torch.exp(k * u)).mean()


net = WeibullNet(5)
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
ztr, ttr, etr = Z[tr], days[tr], failed[tr]
for epoch in range(60):
    for b in torch.randperm(len(ztr)).split(64):
        opt.zero_grad()
        loss = nll(*net(ztr[b]), ttr[b], etr[b])
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch} nll {loss.item():.4f} shape {net.log_k.exp().item():.3f}")


def c_index(risk_time, t, e):
    ok = (t[:, None] < t[None, :]) & (e[:, None] > 0)
    conc = (risk_time[:, None] < risk_time[None, :]).float()
    return (conc * ok).sum() / ok.sum()


with torch.no_grad():
    pred, _ = net(Z[te])
print(f"metric=c_index value={c_index(pred, days[te], failed[te]).item():.4f}")
