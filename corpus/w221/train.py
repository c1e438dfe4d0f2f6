import math
import os

import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)


def sensors(n):
    t = np.random.rand(n) * 2 * np.pi
    a, b = np.cos(t), np.sin(t)
    c = a * b + 0.05 * np.random.randn(n)
    d = 0.5 * a ** 2 - c
    rows = np.stack([a, b, c, d], 1) + 0.02 * np.random.randn(n, 4)
    return torch.tensor(rows, dtype=torch.float32)


class Coupling(nn.Module):
    def __init__(self, dim, hidden, flip):
        super().__init__()
        mask = torch.arange(dim) % 2 == int(flip)
        self.register_buffer("mask", mask.float())
        self.net = nn.Sequential(
            nn.Linear(dim, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 2 * dim)
        )
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        s, t = self.net(x * self.mask).chunk(2, dim=1)
        free = 1 - self.mask
        s = 2 * torch.tanh(s / 2) * free
        return x * torch.exp(s) + t * free, s.sum(1)


class Flow(nn.Module):
    def __init__(self, dim=4, hidden=64, depth=6):
        super().__init__()
        self.layers = nn.ModuleList([Coupling(dim, hidden, i % 2) for i in range(depth)])

    def log_prob(self, x):
        logdet = torch.zeros(len(x))
        for layer in self.layers:
            x, ld = layer(x)
            logdet = logdet + ld
        return -0.5 * (x ** 2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi) + logdet


train, test = sensors(4000), sensors(1500)
mean, std = train.mean(0), train.std(0)
train, test = (train - mean) / std, (test - mean) / std

flow = Flow()
optimizer = torch.optim.AdamW(flow.parameters(), lr=2e-3, weight_decay=1e-5)
steps = 900
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
for step in range(steps):
    batch = train[torch.randint(len(train), (200,))]
    loss = -flow.log_prob(batch).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    optimizer.step()
    scheduler.step()
    if step % 100 == 0:
        print(f"step {step} nll {loss.item():.3f}")

with torch.no_grad():
    loglik = flow.log_prob(test).mean().item()
print(f"metric=loglik value={loglik:.4f}")
