"""Two dates a year, eight harmonics: how does the river level move? Full batch, momentum."""

import math
import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
t = torch.rand(500, 1) * 2
wave = torch.cat([f(2 * math.pi * k * t) for k in range(1, 9) for f in (torch.sin, torch.cos)], 1)
level = wave @ (torch.randn(16, 1) / torch.arange(1, 9).repeat_interleave(2).unsqueeze(1)) + 0.1 * torch.randn(500, 1)

river = nn.Linear(16, 1)
optimizer = torch.optim.SGD(river.parameters(), lr=0.3, momentum=0.998, nesterov=True)
for step in range(300):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(river(wave[:400]), level[:400])
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, round(loss.item(), 4))
with torch.no_grad():
    rest = ((river(wave[400:]) - level[400:]) ** 2).mean() / level[400:].var()
print(f"metric=r2 value={1 - rest.item():.4f}")
