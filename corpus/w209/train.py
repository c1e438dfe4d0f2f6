import math
import os

import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


def crescents(n):
    """Landing points of two drop zones, in units of 100 m."""
    phi = torch.rand(n) * math.pi
    side = torch.randint(0, 2, (n,)) * 2 - 1
    pts = torch.stack([torch.cos(phi) - 0.5 * side, side * (torch.sin(phi) - 0.25)], dim=1)
    return 0.3 * (pts + 0.08 * torch.randn(n, 2))


class AffineCoupling(nn.Module):
    def __init__(self, keep, hidden=48):
        super().__init__()
        self.keep = keep
        self.net = nn.Sequential(nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x[:, self.keep:self.keep + 1], x[:, 1 - self.keep:2 - self.keep]
        log_s, shift = self.net(a).chunk(2, dim=1)
        log_s = 2 * torch.tanh(log_s / 2)
        b = b * log_s.exp() + shift
        out = torch.cat([a, b] if self.keep == 0 else [b, a], dim=1)
        return out, log_s.sum(1)


class RealNVP(nn.Module):
    def __init__(self, sample, n_layers=6):
        super().__init__()
        self.mean = nn.Parameter(sample.mean(0))
        self.log_scale = nn.Parameter(-sample.std(0).log())
        self.layers = nn.ModuleList([AffineCoupling(i % 2) for i in range(n_layers)])

    def log_prob(self, x):
        z, logdet = (x - self.mean) * self.log_scale.exp(), self.log_scale.sum()
        for layer in self.layers:
            z, ld = layer(z)
            logdet = logdet + ld
        return (-0.5 * z.pow(2) - 0.5 * math.log(2 * math.pi)).sum(1) + logdet


flow = RealNVP(crescents(1000))
optimizer = torch.optim.Adam(flow.parameters(), lr=2e-3)
steps = 1000
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=1e-5)
for it in range(steps):
    loss = -flow.log_prob(crescents(256)).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    optimizer.step()
    scheduler.step()
    if it % 100 == 0:
        print(f"{it:5d}  nll {loss.item():+.4f}")

test = crescents(4000)
with torch.no_grad():
    model_ll = flow.log_prob(test).mean().item()
gauss = torch.distributions.MultivariateNormal(test.mean(0), test.T.cov())
gain = model_ll - gauss.log_prob(test).mean().item()
print(f"log-likelihood {model_ll:.4f} nats")
print(f"metric=nats_over_gaussian value={gain:.4f}")
