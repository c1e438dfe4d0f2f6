import math
import os

import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)


class Coupling(nn.Module):
    def __init__(self, dim, keep, width=64):
        super().__init__()
        mask = torch.zeros(dim)
        mask[keep::2] = 1.0
        self.register_buffer("mask", mask)
        self.net = nn.Sequential(nn.Linear(dim, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * dim))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def shift_scale(self, x):
        t, s = self.net(x * self.mask).chunk(2, dim=1)
        return t * (1 - self.mask), 2.0 * torch.tanh(s) * (1 - self.mask)

    def forward(self, x):
        t, s = self.shift_scale(x)
        return x * torch.exp(s) + t, s.sum(1)


class Flow(nn.Module):
    def __init__(self, dim=6, layers=6):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(dim, k % 2) for k in range(layers))

    def log_prob(self, x):
        logdet = torch.zeros(len(x))
        for layer in self.layers:
            x, d = layer(x)
            logdet = logdet + d
        return -0.5 * x.pow(2).sum(1) - 0.5 * x.size(1) * math.log(2 * math.pi) + logdet


u = torch.randn(3000, 2)
X = torch.stack([u[:, 0], u[:, 1], u[:, 0] ** 2, u[:, 0] * u[:, 1], torch.sin(2 * u[:, 0]), torch.tanh(2 * u[:, 1])], dim=1)
X = X + 0.04 * torch.randn(3000, 6)
mean, std = X[:2400].mean(0), X[:2400].std(0)
X = (X - mean) / std
train_x, test_x = X[:2400], X[2400:]

flow = Flow()
optimizer = torch.optim.Adam(flow.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=900)
for step in range(900):
    nll = -flow.log_prob(train_x[torch.randint(0, 2400, (128,))]).mean()
    optimizer.zero_grad()
    nll.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    optimizer.step()
    scheduler.step()
    if step % 200 == 0:
        print(f"step {step} nll {nll.item():.4f}")

with torch.no_grad():
    gaussian = torch.distributions.MultivariateNormal(train_x.mean(0), train_x.T.cov())
    gain = (flow.log_prob(test_x) - gaussian.log_prob(test_x)).mean().item()
print(f"metric=loglik_gain value={gain:.4f}")
