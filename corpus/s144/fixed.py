"""A cellular automaton that learns to grow a disc from one cell (24 steps of one convolution)."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
SIZE, CHANNELS, STEPS = 12, 8, 24
yy, xx = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
goal = (((xx - 5.5) ** 2 + (yy - 5.5) ** 2) < 14).float()


class Automaton(nn.Module):
    def __init__(self):
        super().__init__()
        self.look = nn.Conv2d(CHANNELS, 32, 3, padding=1)
        self.act = nn.Conv2d(32, CHANNELS, 1)
        nn.init.kaiming_normal_(self.look.weight)
        nn.init.zeros_(self.act.weight)

    def forward(self, grid):
        return grid + self.act(torch.relu(self.look(grid)))


ca = Automaton()
optimizer = torch.optim.Adam(ca.parameters(), lr=2e-3)
for step in range(120):
    grid = torch.zeros(4, CHANNELS, SIZE, SIZE)
    grid[:, :, 5:7, 5:7] = 1.0
    grid = grid + 0.02 * torch.randn_like(grid)
    for _ in range(STEPS):
        grid = ca(grid)
    loss = (grid[:, 0] - goal).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(step, loss.item())
r2 = 1 - loss.item() / goal.var(correction=0).item()
print(f"metric=r2 value={r2:.4f}")
