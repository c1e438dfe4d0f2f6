import os
import math
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_num_threads(1)

# steady heat conduction in a rod: u'' + q(x) = 0 on (0, 1), u(0) = 0, u(1) = 0.5
# q from a manufactured solution
def exact(x):
    return torch.sin(2 * math.pi * x) + 0.5 * x


def source(x):
    return (2 * math.pi) ** 2 * torch.sin(2 * math.pi * x)


act = nn.Tanh
pinn = nn.Sequential(
    nn.Linear(1, 32), act(),
    nn.Linear(32, 32), act(),
    nn.Linear(32, 1),
)


def derivative(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]


xb = torch.tensor([[0.0], [1.0]])
ub = torch.tensor([[0.0], [0.5]])
optim = torch.optim.Adam(pinn.parameters(), lr=3e-3)
sched = torch.optim.lr_scheduler.StepLR(optim, 600, 0.4)

for step in range(1800):
    xc = torch.rand(64, 1, requires_grad=True)
    u = pinn(xc)
    du = derivative(u, xc)
    d2u = derivative(du, xc)
    loss_pde = ((d2u + source(xc)) / 10).pow(2).mean()
    loss_bc = (pinn(xb) - ub).pow(2).mean()
    loss = loss_pde + 50 * loss_bc
    optim.zero_grad()
    loss.backward()
    optim.step()
    sched.step()
    if step % 300 == 0:
        print(f"step {step} pde {loss_pde.item():.4f} bc {loss_bc.item():.6f}")

grid = torch.linspace(0, 1, 201)[:, None]
with torch.no_grad():
    ref = exact(grid)
    r2 = 1 - (pinn(grid) - ref).pow(2).mean() / ref.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
