"""A differential equation solved by a net: u'' + u = 0, u(0) = 0, u'(0) = 1."""

import math
import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
t = torch.linspace(0, math.pi, 60).unsqueeze(1)


def solution(time):
    return time + time**2 * net(time)


def residual():
    time = t.clone().requires_grad_()
    u = solution(time)
    (du,) = torch.autograd.grad(u.sum(), time, create_graph=True)
    (ddu,) = torch.autograd.grad(du.sum(), time, create_graph=True)
    return (ddu + u).pow(2).mean()


adam = torch.optim.Adam(net.parameters(), lr=5e-3)
for step in range(250):
    adam.zero_grad()
    loss = residual()
    loss.backward()
    adam.step()
lbfgs = torch.optim.LBFGS(net.parameters(), max_iter=60, line_search_fn="strong_wolfe")


def closure():
    lbfgs.zero_grad()
    value = residual()
    value.backward()
    return value


lbfgs.step(closure)
print("residual", residual().item())
with torch.no_grad():
    truth = torch.sin(t)
    r2 = 1 - ((solution(t) - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
