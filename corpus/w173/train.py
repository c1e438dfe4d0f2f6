import math
import os
import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)
torch.set_default_dtype(torch.float64)

# damped oscillator u'' + 2 d u' + w^2 u = 0 on [0, 2], u(0) = 1, u'(0) = 0
d, w = 1.0, 8.0
t_col = torch.linspace(0, 2, 120).unsqueeze(1).requires_grad_(True)
t0 = torch.zeros(1, 1, requires_grad=True)


def exact(t):
    wd = math.sqrt(w * w - d * d)
    return torch.exp(-d * t) * (torch.cos(wd * t) + d / wd * torch.sin(wd * t))


class Field(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def forward(self, t):
        return self.layers(t - 1.0)


def grad(u, t):
    return torch.autograd.grad(u, t, torch.ones_like(u), create_graph=True)[0]


net = Field()
optimizer = torch.optim.LBFGS(net.parameters(), lr=1.0, max_iter=25, history_size=50,
                              tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe")
record = {}


def closure():
    optimizer.zero_grad()
    u = net(t_col)
    du = grad(u, t_col)
    ddu = grad(du, t_col)
    residual = (ddu + 2 * d * du + w * w * u) / (w * w)
    u0 = net(t0)
    du0 = grad(u0, t0)
    ic = (u0 - 1).pow(2).mean() + (du0 / w).pow(2).mean()
    ode = residual.pow(2).mean()
    loss = ode + 5.0 * ic
    loss.backward()
    record.update(ode=ode.item(), ic=ic.item())
    return loss


for epoch in range(40):
    optimizer.step(closure)
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1:3d}  ode {record['ode']:.3e}  ic {record['ic']:.3e}")

with torch.no_grad():
    t = torch.linspace(0, 2, 400).unsqueeze(1)
    r2 = 1 - (net(t) - exact(t)).pow(2).sum() / (exact(t) - exact(t).mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
