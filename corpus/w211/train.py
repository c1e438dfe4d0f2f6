import os

import numpy as np
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
torch.manual_seed(int(os.environ.get("SEED", "0")))
np.random.seed(int(os.environ.get("SEED", "0")))

# m u'' + mu u' + k u = 0,  u(0) = 1,  u'(0) = 0
MU, K = 2.0, 144.0
DELTA, OMEGA = MU / 2, (K - (MU / 2) ** 2) ** 0.5


def solution(t):
    return torch.exp(-DELTA * t) * (torch.cos(OMEGA * t) + DELTA / OMEGA * torch.sin(OMEGA * t))


class Ansatz(nn.Module):
    """u(t) = 1 + t^2 * net(t): the initial conditions hold by construction."""

    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, 1),
        )
        for m in self.net:
            if isinstance(m, nn.Linear):
                nn.init.xavier_normal_(m.weight)
                nn.init.zeros_(m.bias)

    def forward(self, t):
        return 1 + (OMEGA * t) ** 2 * self.net(4 * t - 2)


def physics_loss(model, t):
    u = model(t)
    du = torch.autograd.grad(u, t, torch.ones_like(u), create_graph=True)[0]
    d2u = torch.autograd.grad(du, t, torch.ones_like(du), create_graph=True)[0]
    return ((d2u + MU * du + K * u) / K).pow(2).mean()


model = Ansatz()
t = torch.linspace(0, 1, 80).unsqueeze(1).requires_grad_(True)

adam = torch.optim.Adam(model.parameters(), lr=5e-3)
for it in range(300):
    adam.zero_grad()
    loss = physics_loss(model, t)
    loss.backward()
    adam.step()
    if it % 100 == 0:
        print(f"adam {it:4d} {loss.item():.3e}")

lbfgs = torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=50, history_size=50, line_search_fn="strong_wolfe",
                          tolerance_grad=1e-10, tolerance_change=1e-14)


def closure():
    lbfgs.zero_grad()
    loss = physics_loss(model, t)
    loss.backward()
    return loss


for it in range(30):
    loss = lbfgs.step(closure)
    if it % 5 == 0:
        print(f"lbfgs {it:3d} {loss.item():.3e}")

with torch.no_grad():
    grid = torch.linspace(0, 1, 501).unsqueeze(1)
    ref = solution(grid)
    r2 = 1 - (model(grid) - ref).pow(2).mean() / ref.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
