"""Damped pendulum (small angle) solved by a network: x'' + 2 d x' + w^2 x = 0."""
import math
import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
torch.set_default_dtype(torch.float64)

DAMP, OMEGA, T_END = 0.4, 4.0, 2.5


class Solution(nn.Module):
    """The start x(0) = 1, x'(0) = 0 is built into the form of the answer."""

    def __init__(self, width=32):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.last = nn.Linear(width, 1)

    def forward(self, t):
        s = 2 * t / T_END - 1
        return 1 + t ** 2 * self.last(self.hidden(s))


def d(y, t):
    return torch.autograd.grad(y.sum(), t, create_graph=True)[0]


def exact(t):
    w = math.sqrt(OMEGA ** 2 - DAMP ** 2)
    return torch.exp(-DAMP * t) * (torch.cos(w * t) + DAMP / w * torch.sin(w * t))


model = Solution()
t = torch.linspace(0, T_END, 100).unsqueeze(1).requires_grad_()
optimizer = torch.optim.LBFGS(model.parameters(), max_iter=20, history_size=50,
                              tolerance_grad=1e-9, tolerance_change=1e-12,
                              line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    x = model(t)
    v = d(x, t)
    a = d(v, t)
    loss = ((a + 2 * DAMP * v + OMEGA ** 2 * x) ** 2).mean()
    loss.backward()
    return loss


for outer in range(60):
    loss = optimizer.step(closure)
    if outer % 5 == 0:
        print(f"{outer:3d} residual {loss.item():.3e}")

with torch.no_grad():
    grid = torch.linspace(0, T_END, 333).unsqueeze(1)
    err = (model(grid) - exact(grid)) ** 2
    r2 = 1 - err.mean() / exact(grid).var(unbiased=False)
print(f"metric=r2 value={r2.item():.6f}")
