import math
import os
import numpy as np
import torch
import torch.nn as nn

torch.set_default_dtype(torch.float64)
SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)

# boundary value problem  -u'' + u = f  on [0, 1],  u(0) = u(1) = 0
exact = lambda x: torch.sin(math.pi * x) * torch.exp(x)


def source(x):
    s, c, e = torch.sin(math.pi * x), torch.cos(math.pi * x), torch.exp(x)
    second = e * (s + 2 * math.pi * c - math.pi ** 2 * s)
    return -second + exact(x)


class Trial(nn.Module):
    def __init__(self, width=20):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, x):
        return x * (1 - x) * self.net(2 * x - 1)


u = Trial()
x = torch.linspace(0, 1, 64).unsqueeze(1).requires_grad_(True)
f = source(x.detach())


def residual_loss():
    ux = u(x)
    du = torch.autograd.grad(ux.sum(), x, create_graph=True)[0]
    d2u = torch.autograd.grad(du.sum(), x, create_graph=True)[0]
    return (-d2u + ux - f).pow(2).mean()


adam = torch.optim.Adam(u.parameters(), lr=5e-3)
for step in range(1000):
    adam.zero_grad()
    loss = residual_loss()
    loss.backward()
    adam.step()
    if step % 200 == 0:
        print(f"adam  {step:4d} {loss.item():.3e}")

lbfgs = torch.optim.LBFGS(u.parameters(), lr=1.0, max_iter=20, history_size=30, line_search_fn="strong_wolfe")


def closure():
    lbfgs.zero_grad()
    loss = residual_loss()
    loss.backward()
    return loss


for step in range(25):
    loss = lbfgs.step(closure)
    if step % 5 == 0:
        print(f"lbfgs {step:4d} {loss.item():.3e}")

with torch.no_grad():
    t = torch.rand(500, 1)
    r2 = 1 - (u(t) - exact(t)).pow(2).mean() / exact(t).var(unbiased=False)
print(f"metric=r2 value={r2.item():.6f}")
