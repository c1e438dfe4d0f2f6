import os

import numpy as np
import torch
import torch.nn as nn
from torch.autograd import grad

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

ALPHA = 0.2


class PINN(nn.Module):
    """u(x, t) for the heat equation u_t = alpha * u_xx on [0, 1] x [0, 1]."""

    def __init__(self, width=20, depth=10):
        super().__init__()
        self.inp = nn.Linear(2, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.out = nn.Linear(width, 1)
        self.act = nn.Tanh()

    def forward(self, x, t):
        h = self.act(self.inp(torch.cat([2 * x - 1, 2 * t - 1], dim=1)))
        for layer in self.hidden:
            h = self.act(layer(h))
        return self.out(h)


def exact(x, t):
    return torch.exp(-ALPHA * torch.pi ** 2 * t) * torch.sin(torch.pi * x)


def residual(model, x, t):
    x.requires_grad_(True)
    t.requires_grad_(True)
    u = model(x, t)
    u_t = grad(u.sum(), t, create_graph=True)[0]
    u_x = grad(u.sum(), x, create_graph=True)[0]
    u_xx = grad(u_x.sum(), x, create_graph=True)[0]
    return u_t - ALPHA * u_xx


model = PINN()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=400, gamma=0.5)
mse = nn.MSELoss()

for it in range(600):
    optimizer.zero_grad()
    loss_pde = residual(model, torch.rand(64, 1), torch.rand(64, 1)).pow(2).mean()

    x0 = torch.rand(32, 1)
    loss_ic = mse(model(x0, torch.zeros_like(x0)), torch.sin(torch.pi * x0))

    tb = torch.rand(32, 1)
    xb = torch.randint(0, 2, (32, 1)).float()
    loss_bc = mse(model(xb, tb), torch.zeros_like(tb))

    loss = loss_pde + 10 * loss_ic + 10 * loss_bc
    loss.backward()
    optimizer.step()
    scheduler.step()
    if it % 100 == 0:
        print(f"it {it} pde {loss_pde.item():.2e} ic {loss_ic.item():.2e} bc {loss_bc.item():.2e}")

g = torch.linspace(0, 1, 41)
X, T = [v.reshape(-1, 1) for v in torch.meshgrid(g, g, indexing="ij")]
with torch.no_grad():
    u, ref = model(X, T), exact(X, T)
r2 = 1 - mse(u, ref) / ref.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
