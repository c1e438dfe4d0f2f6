# Equilibrium shape of a slender column under an end load (Euler's cantilever):
# minimise bending energy plus the potential of the load over the segment angles.
import math
import os

import numpy as np
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class Column(torch.nn.Module):
    def __init__(self, segments=30, length=1.0, load=10.0):
        super().__init__()
        self.h = length / segments
        self.load = load
        # stiffness differs a little from one segment to the next
        self.register_buffer("stiffness", 1.0 + 0.1 * torch.rand(segments))
        self.angle = torch.nn.Parameter(0.01 * torch.randn(segments))

    def bend(self):
        clamped = torch.zeros(1)
        d = torch.diff(torch.cat([clamped, self.angle])) / self.h
        return 0.5 * (self.stiffness * d ** 2).sum() * self.h

    def height(self):
        return torch.cos(self.angle).sum() * self.h

    def forward(self):
        return self.bend() + self.load * self.height()


column = Column()
critical = math.pi ** 2 / 4
print(f"load is {column.load / critical:.2f} times the critical load")
optimizer = torch.optim.SGD(column.parameters(), lr=0.005, momentum=0.9)

upright = column.load * 1.0
for step in range(4000):
    optimizer.zero_grad()
    energy = column()
    energy.backward()
    optimizer.step()
    if step % 500 == 0:
        print(f"step {step:5d}  energy {energy.item():.5f}  height {column.height().item():.4f}")

with torch.no_grad():
    released = (upright - column()) / upright
    tip = torch.sin(column.angle).sum() * column.h
print(f"tip displacement {tip.item():+.4f}")
print(f"metric=energy_released value={released.item():.4f}")
