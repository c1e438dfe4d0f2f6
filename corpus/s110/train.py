import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
# learn the force of a spring-like system from its motion: dx/dt = f(x), integrated with Euler steps
theta = 0.1
true = lambda x: torch.stack([x[:, 1], -torch.sin(x[:, 0]) - theta * x[:, 1]], 1)


def roll(f, x, steps=40, h=0.25):
    path = []
    for _ in range(steps):
        x = x + h * f(x)
        path.append(x)
    return torch.stack(path)


class Force(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 2))
        for layer in (self.net[0], self.net[2]):
            nn.init.normal_(layer.weight, std=0.7)

    def forward(self, x):
        return self.net(x)


f = Force()
opt = torch.optim.Adam(f.parameters(), lr=3e-3)
for it in range(120):
    x0 = torch.randn(64, 2)
    with torch.no_grad():
        goal = roll(true, x0)
    loss = (roll(f, x0) - goal).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 20 == 0:
        print(it, loss.item())
with torch.no_grad():
    x0 = torch.randn(500, 2)
    a, b = roll(f, x0), roll(true, x0)
r2 = 1 - ((a - b) ** 2).sum() / ((b - b.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
