"""Lane-Emden equation of index 1 with a physics-informed network.

    u'' + 2/r u' + u = 0,   u(0) = 1      (exact: sin(r) / r)
"""
import os

import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
R = 6.0


class Star(nn.Module):
    def __init__(self, width=32, depth=3):
        super().__init__()
        sizes = [1] + [width] * depth
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))
        self.head = nn.Linear(width, 1)

    def forward(self, r):
        h = 2 * r / R - 1
        for layer in self.hidden:
            h = torch.tanh(layer(h))
        return self.head(h)


def derivative(u, r):
    return torch.autograd.grad(u, r, torch.ones_like(u), create_graph=True)[0]


def residual(net, r):
    u = net(r)
    u_r = derivative(u, r)
    u_rr = derivative(u_r, r)
    return u_rr + 2.0 / r * u_r + u


net = Star()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 500, 0.5)
r = torch.linspace(0, R, 100).reshape(-1, 1).requires_grad_(True)
centre = torch.zeros(1, 1)

for it in range(2000):
    optimizer.zero_grad()
    pde = residual(net, r).pow(2).mean()
    bc = (net(centre) - 1.0).pow(2).mean()
    loss = pde + 10 * bc
    loss.backward()
    optimizer.step()
    scheduler.step()
    if it % 200 == 0:
        print(f"{it:5d}  pde {pde.item():.3e}  bc {bc.item():.3e}")

grid = torch.linspace(0.01, R, 301).reshape(-1, 1)
exact = torch.sin(grid) / grid
with torch.no_grad():
    r2 = 1 - (net(grid) - exact).pow(2).sum() / (exact - exact.mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
