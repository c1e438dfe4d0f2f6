import math
import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_moons

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)


class Coupling(nn.Module):
    def __init__(self, flip, hidden=48):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
                                 nn.Linear(hidden, 2))
        # start as the identity map
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = (x[:, 1:], x[:, :1]) if self.flip else (x[:, :1], x[:, 1:])
        s, t = self.net(a).chunk(2, dim=1)
        s = 2 * torch.tanh(s / 2)
        b = b * s.exp() + t
        out = torch.cat([b, a] if self.flip else [a, b], dim=1)
        return out, s.squeeze(1)


class Flow(nn.Module):
    def __init__(self, depth=8):
        super().__init__()
        self.couplings = nn.ModuleList(Coupling(flip=bool(i % 2)) for i in range(depth))

    def log_prob(self, x):
        log_det = torch.zeros(len(x))
        for layer in self.couplings:
            x, ld = layer(x)
            log_det = log_det + ld
        return log_det - 0.5 * x.pow(2).sum(1) - math.log(2 * math.pi)


def sample(n, seed):
    x, _ = make_moons(n, noise=0.07, random_state=seed)
    return torch.tensor((x - [0.5, 0.25]) * 0.6, dtype=torch.float32)


train, held_out = sample(4000, SEED), sample(2000, SEED + 100)
flow = Flow()
opt = torch.optim.Adam(flow.parameters(), lr=2e-3)
steps = 1000
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=5e-3, total_steps=steps)
for step in range(steps):
    xb = train[torch.randint(len(train), (128,))]
    nll = -flow.log_prob(xb).mean()
    opt.zero_grad()
    nll.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    opt.step()
    sched.step()
    if step % 200 == 0:
        print(f"step {step} nll {nll.item():.4f}")

with torch.no_grad():
    ll = flow.log_prob(held_out).mean().item()
# gain in nats over one Gaussian fitted to the data
gauss = torch.distributions.MultivariateNormal(train.mean(0), torch.cov(train.T))
print(f"held-out log-likelihood {ll:.4f}")
print(f"metric=loglik_gain value={ll - gauss.log_prob(held_out).mean().item():.4f}")
