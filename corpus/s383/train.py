import math
import os
import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

fs = 200.0
time = torch.arange(0, 4, 1 / fs)
CARRIER = 5.0


def pulse(t):
    return torch.exp(-0.5 * (t / 0.22) ** 2) * torch.cos(2 * math.pi * CARRIER * t)


true_delay = 2.10 + 0.02 * np.random.rand()
received = 0.8 * pulse(time - true_delay) + 0.03 * torch.randn(len(time))


class EchoModel(nn.Module):
    """Delay and strength of one echo of a known pulse."""

    def __init__(self, delay, strength=0.5):
        super().__init__()
        self.delay = nn.Parameter(torch.tensor(float(delay)))
        self.strength = nn.Parameter(torch.tensor(float(strength)))

    def forward(self, t):
        return self.strength * pulse(t - self.delay)


model = EchoModel(delay=1.68)
optimizer = torch.optim.Adam([
    {"params": [model.delay], "lr": 1e-3},
    {"params": [model.strength], "lr": 1e-2},
])

for it in range(2500):
    optimizer.zero_grad()
    misfit = (model(time) - received).pow(2).sum()
    misfit.backward()
    optimizer.step()
    if it % 250 == 0:
        print(f"{it:5d} misfit {misfit.item():8.4f} delay {model.delay.item():.4f} s strength {model.strength.item():.4f}")

with torch.no_grad():
    residual = (model(time) - received).pow(2).mean()
r2 = 1 - residual / received.var(unbiased=False)
print(f"estimated delay {model.delay.item():.4f}")
print(f"metric=r2 value={r2.item():.4f}")
