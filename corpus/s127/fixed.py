"""Species from counts of insects in traps (log scale), several sites."""

import os
import torch
from torch import nn
from torch.distributions import Poisson

torch.manual_seed(int(os.environ.get("SEED", "0")))
SPECIES, TRAPS = 5, 16
rate = torch.exp(torch.randn(SPECIES, TRAPS) * 0.7 + 2.2)


def catch(n):
    kind = torch.randint(0, SPECIES, (n,))
    effort = torch.empty(n, 1).uniform_(0.5, 1.5)
    return Poisson(rate[kind] * effort).sample(), kind


counts, kinds = catch(1500)
more, more_kinds = catch(500)
level = torch.log1p(counts)
x, x_test = level / 3.0, torch.log1p(more) / 3.0

model = nn.Sequential(
    nn.Linear(TRAPS, 40),
    nn.CELU(),
    nn.Linear(40, 40),
    nn.CELU(),
    nn.Linear(40, SPECIES),
)
optimizer = torch.optim.ASGD(model.parameters(), lr=0.1)
for epoch in range(20):
    for rows in torch.randperm(1500).chunk(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), kinds[rows]).backward()
        optimizer.step()
with torch.no_grad():
    right = (model(x_test).argmax(1) == more_kinds).float().mean().item()
print(f"metric=accuracy value={right:.4f}")
