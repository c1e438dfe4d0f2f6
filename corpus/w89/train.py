"""Value of the squares of a ring walk by temporal differences: the targets grow with the estimate."""

import copy
import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
SQUARES, GAMMA = 16, 0.9
pay = torch.zeros(SQUARES)
pay[3], pay[9] = 5.0, -2.0
P = torch.zeros(SQUARES, SQUARES)
for s in range(SQUARES):
    P[s, (s + 1) % SQUARES], P[s, (s - 1) % SQUARES] = 0.7, 0.3
truth = torch.linalg.solve(torch.eye(SQUARES) - GAMMA * P, pay)
angle = torch.arange(SQUARES) / SQUARES * 6.2832
state = torch.stack([f(k * angle) for k in (1, 2, 3, 4) for f in (torch.sin, torch.cos)], 1)

value = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 1))
slow = copy.deepcopy(value).requires_grad_(False)
optimizer = torch.optim.Adam(value.parameters(), lr=2e-3)
for step in range(900):
    s = torch.randint(SQUARES, (64,))
    nxt = torch.multinomial(P[s], 1).squeeze(1)
    goal = pay[s] + GAMMA * slow(state[nxt]).squeeze(1)
    loss = nn.functional.smooth_l1_loss(value(state[s]).squeeze(1), goal)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for a, b in zip(slow.parameters(), value.parameters()):
            a.lerp_(b, 0.05)
    if step % 150 == 149:
        print(step + 1, round(loss.item(), 4))
with torch.no_grad():
    estimate = value(state).squeeze(1)
r2 = 1 - (estimate - truth).pow(2).sum() / (truth - truth.mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
