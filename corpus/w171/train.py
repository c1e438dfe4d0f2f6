import os

import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", "0"))
np.random.seed(SEED)
torch.manual_seed(SEED)
torch.set_default_dtype(torch.float64)

# x'' + 0.6 x' + 9 x = 0, x(0) = 1, x'(0) = 0 on [0, 3]
DAMP, STIFF, T_END = 0.6, 9.0, 3.0


def exact(t):
    w = (STIFF - DAMP ** 2 / 4) ** 0.5
    return torch.exp(-DAMP * t / 2) * (torch.cos(w * t) + DAMP / (2 * w) * torch.sin(w * t))


class Oscillator(nn.Module):
    def __init__(self, units=32, depth=3):
        super().__init__()
        sizes = [1] + [units] * depth
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.out = nn.Linear(units, 1)
        for layer in [*self.hidden, self.out]:
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, t):
        h = 2 * t / T_END - 1
        for layer in self.hidden:
            h = torch.tanh(layer(h))
        return self.out(h)


def derivative(y, t):
    return torch.autograd.grad(y.sum(), t, create_graph=True)[0]


def losses(model, t):
    t = t.clone().requires_grad_(True)
    x = model(t)
    dx = derivative(x, t)
    residual = derivative(dx, t) + DAMP * dx + STIFF * x
    t0 = torch.zeros(1, 1, requires_grad=True)
    x0 = model(t0)
    start = (x0 - 1).pow(2).mean() + 0.1 * derivative(x0, t0).pow(2).mean()
    return residual.pow(2).mean() / STIFF ** 2, 5.0 * start


model = Oscillator()
adam = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(1000):
    adam.zero_grad()
    ode, start = losses(model, T_END * torch.rand(64, 1))
    (ode + start).backward()
    adam.step()
    if step % 200 == 0:
        print(f"adam {step} ode {ode.item():.2e} start {start.item():.2e}")

grid = torch.linspace(0, T_END, 80).unsqueeze(1)
lbfgs = torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=20, history_size=30, line_search_fn="strong_wolfe")


def closure():
    lbfgs.zero_grad()
    total = sum(losses(model, grid))
    total.backward()
    return total


for step in range(30):
    total = lbfgs.step(closure)
print(f"lbfgs loss {total.item():.2e}")

with torch.no_grad():
    t = torch.linspace(0, T_END, 300).unsqueeze(1)
    x = exact(t)
    r2 = 1 - (model(t) - x).pow(2).mean() / x.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
