"""Lab 2 - descending the Styblinski-Tang surface with torch.optim"""
import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
BEST = -39.16617  # per dimension


class Surface(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.x = nn.Parameter(start)

    def forward(self):
        x = self.x
        return 0.5 * (x ** 4 - 16 * x ** 2 + 5 * x).sum(-1)


dims = 3
start = 1.0 + 3.0 * torch.rand(1, dims)
surface = Surface(start)
opt = torch.optim.SGD(surface.parameters(), lr=0.005, momentum=0.5)

for step in range(1500):
    opt.zero_grad()
    values = surface()
    values.sum().backward()
    opt.step()
    if step % 250 == 0:
        print(f"step {step:5d}  lowest {values.min().item():.4f}")

lowest = surface().min().item()
print("position", [round(v, 3) for v in surface.x[surface().argmin()].tolist()])
print(f"metric=score value={lowest / (BEST * dims):.4f}")
