import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

# u'' + 2 d u' + w^2 u = 0,  u(0) = 1,  u'(0) = 0
d, w = 0.6, 5.0
wd = math.sqrt(w ** 2 - d ** 2)


def exact(t):
    return torch.exp(-d * t) * (torch.cos(wd * t) + d / wd * torch.sin(wd * t))


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, 1),
        )

    def forward(self, t):
        # the initial values are built in
        return 1 + t ** 2 * self.body(2 * t - 1)


def derivative(u, t):
    return torch.autograd.grad(u, t, torch.ones_like(u), create_graph=True)[0]


def residual(net, t):
    t = t.requires_grad_(True)
    u = net(t)
    du = derivative(u, t)
    ddu = derivative(du, t)
    return ddu + 2 * d * du + w ** 2 * u


net = Net()
steps = 3000
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=1e-5)
for step in range(steps):
    t = torch.rand(64, 1)
    loss = residual(net, t).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 300 == 0:
        print(f"step {step:5d} residual {loss.item():.3e}")

with torch.no_grad():
    t = torch.linspace(0, 1, 200).unsqueeze(1)
    u = exact(t)
    r2 = 1 - (net(t) - u).pow(2).mean() / u.var(unbiased=False)
print(f"metric=r2 value={r2.item():.6f}")
