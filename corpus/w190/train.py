import math
import os

import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

# -u''(x) = f(x) on (0, 1), u(0) = u(1) = 0, solved by minimising the energy
#     E[u] = integral of  u'^2 / 2 - f u        (deep Ritz)


def f(x):
    return math.pi ** 2 * torch.sin(math.pi * x) + 2 * math.pi ** 2 * torch.sin(2 * math.pi * x)


def solution(x):
    return torch.sin(math.pi * x) + 0.5 * torch.sin(2 * math.pi * x)


class Block(nn.Module):
    def __init__(self, m):
        super().__init__()
        self.l1 = nn.Linear(m, m)
        self.l2 = nn.Linear(m, m)

    def forward(self, h):
        return h + torch.tanh(self.l2(torch.tanh(self.l1(h))))


class Ritz(nn.Module):
    def __init__(self, m=24):
        super().__init__()
        self.lift = nn.Linear(1, m)
        self.blocks = nn.Sequential(Block(m), Block(m))
        self.out = nn.Linear(m, 1)

    def forward(self, x):
        return x * (1 - x) * self.out(self.blocks(self.lift(2 * x - 1)))


net = Ritz()
iterations = 1500
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=iterations)
cells = 128

for it in range(iterations):
    x = ((torch.arange(cells) + torch.rand(cells)) / cells).reshape(-1, 1).requires_grad_(True)
    u = net(x)
    du, = torch.autograd.grad(u.sum(), x, create_graph=True)
    energy = (0.5 * du ** 2 - f(x) * u).mean()
    optimizer.zero_grad()
    energy.backward()
    optimizer.step()
    schedule.step()
    if it % 150 == 0:
        print(f"{it:5d}  energy {energy.item():+.5f}")

x = torch.linspace(0, 1, 401).reshape(-1, 1)
with torch.no_grad():
    error = (net(x) - solution(x)).pow(2).mean()
    r2 = 1 - error / solution(x).var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
