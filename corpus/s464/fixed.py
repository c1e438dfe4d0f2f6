"""Stationary heat in a rod: -u'' = q on (0, 1), u(0) = u(1) = 0.
The temperature on a grid is found by descending the Dirichlet energy."""
import os
import math
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))
torch.set_default_dtype(torch.float64)

n = 160
h = 1.0 / (n + 1)
x = torch.linspace(h, 1 - h, n)

# heat source with three smooth modes, and the exact temperature
coef = torch.rand(3) + torch.tensor([1.0, 0.5, 0.5])
modes = torch.stack([torch.sin(k * math.pi * x) for k in (1, 2, 3)])
lap = torch.tensor([(k * math.pi) ** 2 for k in (1, 2, 3)])
q = coef @ modes
exact = (coef / lap) @ modes


def energy(u):
    padded = torch.cat([torch.zeros(1), u, torch.zeros(1)])
    slope = torch.diff(padded) / h
    return 0.5 * (slope ** 2).sum() * h - (q * u).sum() * h


u = torch.zeros(n, requires_grad=True)
optimizer = torch.optim.LBFGS([u], max_iter=1, history_size=50, line_search_fn="strong_wolfe")

for it in range(500):
    def closure():
        optimizer.zero_grad()
        e = energy(u)
        e.backward()
        return e

    e = optimizer.step(closure)
    if it % 40 == 0:
        print(f"iteration {it:5d}  energy {e.item():.8f}  max u {u.max().item():.5f}")

with torch.no_grad():
    r2 = 1 - ((u - exact) ** 2).sum() / ((exact - exact.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
