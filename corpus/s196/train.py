import os
import torch
import torch.nn as nn
from math import sqrt


torch.manual_seed(int(os.environ.get("SEED", 0)))


class SineLayer(nn.Module):
    def __init__(self, n_in, n_out, first=False, omega=1.0):
        super().__init__()
        self.omega = omega
        self.linear = nn.Linear(n_in, n_out)
        with torch.no_grad():
            bound = 1 / n_in if first else sqrt(6 / n_out) / omega
            self.linear.weight.uniform_(-bound, bound)

    def forward(self, x):
        return torch.sin(self.omega * self.linear(x))


class Siren(nn.Module):
    def __init__(self, omega):
        super().__init__()
        self.net = nn.Sequential(
            SineLayer(2, 48, first=True, omega=omega),
            SineLayer(48, 48, omega=omega),
            nn.Linear(48, 1),
        )

    def forward(self, coords):
        return self.net(coords)


# a zone plate as the picture to be stored
S = 40
axis = torch.linspace(-1, 1, S)
grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
shift = 0.2 * torch.rand(2)
target = torch.cos(28 * ((grid - shift) ** 2).sum(1, keepdim=True))

model = Siren(omega=1.0)
optim = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(350):
    out = model(grid)
    loss = ((out - target) ** 2).mean()
    optim.zero_grad()
    loss.backward()
    optim.step()
    if step % 50 == 0:
        print("Step %d, loss %0.6f" % (step, loss))

with torch.no_grad():
    r2 = 1 - ((model(grid) - target) ** 2).mean() / target.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
