import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

ACCUMULATE = 4


def simulate(n, length=20):
    """oscillations with a random phase; a tenth of them come from a noisy sensor"""
    noisy = torch.rand(n) < 0.1
    sigma = torch.where(noisy, 0.5, 0.03)
    phase = torch.rand(n) * 6.28
    t = torch.arange(length + 1.0)
    clean = torch.sin(0.45 * t[None] + phase[:, None])
    series = clean + sigma[:, None] * torch.randn(n, length + 1)
    return series[:, :-1, None], clean[:, -1], series[:, -1], noisy


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.mu = nn.Linear(hidden, 1)
        self.log_sigma = nn.Linear(hidden, 1)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.mu(h[-1]).squeeze(-1), self.log_sigma(h[-1]).squeeze(-1).clamp(-6, 3)


def gaussian_nll(mu, log_sigma, y):
    return (log_sigma + 0.5 * ((y - mu) / log_sigma.exp()) ** 2).mean()


x, _, y, noisy = simulate(1280)
weights = torch.where(noisy, 3.0, 1.0)
loader = DataLoader(TensorDataset(x, y), batch_size=16, sampler=WeightedRandomSampler(weights, len(y)))
net = Forecaster()
optimizer = torch.optim.Adam(net.parameters())
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=30 * len(loader) // ACCUMULATE)

for epoch in range(30):
    total = 0.0
    optimizer.zero_grad()
    for i, (xb, yb) in enumerate(loader, 1):
        loss = gaussian_nll(*net(xb), yb)
        (loss / ACCUMULATE).backward()
        total += loss.item()
        if i % ACCUMULATE == 0:
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()
    if epoch % 6 == 5:
        print(f"epoch {epoch + 1} nll {total / len(loader):.4f}")

with torch.no_grad():
    xt, clean, _, _ = simulate(800)
    mu, _ = net(xt)
    r2 = 1 - F.mse_loss(mu, clean) / clean.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
