import math
import os

import numpy as np
import torch
from sklearn.datasets import make_moons
from torch import nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class Coupling(nn.Module):
    def __init__(self, swap, hidden=48):
        super().__init__()
        self.swap = swap
        self.net = nn.Sequential(nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
                                 nn.Linear(hidden, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x.flip(1).chunk(2, 1) if self.swap else x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        s = 2 * torch.tanh(s / 2)
        b = b * s.exp() + t
        out = torch.cat([b, a], 1) if self.swap else torch.cat([a, b], 1)
        return out, s.squeeze(1)


class RealNVP(nn.Module):
    def __init__(self, depth=6):
        super().__init__()
        self.flows = nn.ModuleList(Coupling(swap=bool(i % 2)) for i in range(depth))

    def log_prob(self, x):
        log_det = torch.zeros(len(x))
        for flow in self.flows:
            x, ld = flow(x)
            log_det = log_det + ld
        return log_det - 0.5 * (x ** 2).sum(1) - math.log(2 * math.pi)


def moons(n, state):
    pts, _ = make_moons(n, noise=0.05, random_state=state)
    return torch.tensor((pts - [0.5, 0.25]) / [0.87, 0.5], dtype=torch.float32)


train, test = moons(2000, seed), moons(1000, seed + 1000)
flow = RealNVP()
opt = torch.optim.Adam(flow.parameters(), lr=4e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=1200)
for it in range(1200):
    batch = train[torch.randint(len(train), (128,))]
    nll = -flow.log_prob(batch).mean()
    opt.zero_grad()
    nll.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    opt.step()
    sched.step()
    if it % 200 == 0:
        print(f"{it:5d} nll {nll.item():.4f}")

with torch.no_grad():
    gauss = torch.distributions.MultivariateNormal(train.mean(0), train.T.cov())
    gain = flow.log_prob(test).mean() - gauss.log_prob(test).mean()
print(f"metric=loglik_gain value={gain.item():.4f}")
