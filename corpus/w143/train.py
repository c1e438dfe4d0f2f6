import os
import math
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
t = torch.linspace(-1, 1, 256).unsqueeze(1)
signal = torch.sin(25 * t) * torch.exp(-2 * t ** 2) + 0.3 * torch.cos(60 * t)


class SineLayer(nn.Module):
    def __init__(self, n_in, n_out, omega=30.0, first=False):
        super().__init__()
        self.omega = omega
        self.linear = nn.Linear(n_in, n_out)
        bound = 1 / n_in if first else math.sqrt(6 / n_in) / omega
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(self.omega * self.linear(x))


net = nn.Sequential(SineLayer(1, 48, first=True), SineLayer(48, 48), SineLayer(48, 48), nn.Linear(48, 1))
with torch.no_grad():
    bound = math.sqrt(6 / 48) / 30
    net[-1].weight.uniform_(-bound, bound)
opt = torch.optim.Adam(net.parameters(), lr=3e-4)
for i in range(700):
    loss = ((net(t) - signal) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if i % 100 == 0:
        print(i, loss.item())

with torch.no_grad():
    r2 = 1 - ((net(t) - signal) ** 2).mean() / signal.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
