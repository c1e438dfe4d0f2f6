import math
import os

import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))


def poses(n):
    """Joint angles of a two-link arm and the measured position of its tip."""
    theta = torch.tensor([0.6, 0.9]) + 0.45 * torch.randn(n, 2)
    total = theta.sum(1)
    tip = torch.stack([theta[:, 0].cos() + 0.7 * total.cos(), theta[:, 0].sin() + 0.7 * total.sin()], dim=1)
    return torch.cat([theta, tip + 0.03 * torch.randn(n, 2)], dim=1)


class Coupling(nn.Module):
    def __init__(self, flip, width=48):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 4))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, dim=1)
        s = 3 * torch.tanh(s / 3)
        b = (b - t) * torch.exp(-s)
        return torch.cat([b, a] if self.flip else [a, b], dim=1), -s.sum(1)


class Flow(nn.Module):
    def __init__(self, mean, std, depth=4):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.layers = nn.ModuleList([Coupling(i % 2 == 1) for i in range(depth)])

    def log_prob(self, x):
        x = (x - self.mean) / self.std
        logdet = -self.std.log().sum()
        for layer in self.layers:
            x, d = layer(x)
            logdet = logdet + d
        return -0.5 * (x ** 2).sum(1) - 2 * math.log(2 * math.pi) + logdet


sample = poses(5000)
flow = Flow(sample.mean(0), sample.std(0))
opt = torch.optim.Adam(flow.parameters(), lr=2e-3)
steps = 700
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, steps)
for step in range(steps):
    loss = -flow.log_prob(poses(256)).mean()
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    opt.step()
    sched.step()
    if step % 100 == 0:
        print(f"step {step} nll {loss.item():.4f}")

with torch.no_grad():
    score = flow.log_prob(poses(5000)).mean().item()
print(f"metric=log_likelihood value={score:.4f}")
