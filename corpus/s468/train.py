"""PINN for a loaded circular membrane: u_rr + u_r / r = f(r), u(1) = 0."""
import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))


class MLP(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, 1),
        )

    def forward(self, r):
        return self.net(r)


def derivative(out, inp):
    return torch.autograd.grad(out, inp, torch.ones_like(out), create_graph=True)[0]


def load(r):
    return 16 * r ** 2 - 8


def residual(model, r):
    u = model(r)
    u_r = derivative(u, r)
    u_rr = derivative(u_r, r)
    return u_rr + u_r / r - load(r)


collocation = torch.linspace(0, 1, 65).unsqueeze(1).requires_grad_()
rim = torch.ones(1, 1)
model = MLP()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.999)

for it in range(1500):
    optimizer.zero_grad()
    pde = residual(model, collocation).pow(2).mean()
    edge = model(rim).pow(2).mean()
    loss = pde + 10 * edge
    loss.backward()
    optimizer.step()
    scheduler.step()
    if it % 250 == 0:
        print(f"{it:5d} pde {pde.item():.3e} edge {edge.item():.3e}")

r = torch.linspace(0.05, 1, 50).unsqueeze(1)
with torch.no_grad():
    exact = 1 - 2 * r ** 2 + r ** 4
    u = model(r)
    r2 = 1 - ((u - exact) ** 2).sum() / ((exact - exact.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
