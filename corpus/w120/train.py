import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 40), nn.Tanh(), nn.Linear(40, 2))
        nn.init.normal_(self.net[2].weight, std=1e-3)
        nn.init.zeros_(self.net[2].bias)

    def forward(self, s):
        return self.net(s)


def rk4(f, s, h):
    k1 = f(s)
    k2 = f(s + h / 2 * k1)
    k3 = f(s + h / 2 * k2)
    k4 = f(s + h * k3)
    return s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def pendulum(s):
    return torch.stack([s[..., 1], -torch.sin(s[..., 0]) - 0.15 * s[..., 1]], -1)


def rollout(f, s, n, h=0.1):
    path = [s]
    for _ in range(n):
        path.append(rk4(f, path[-1], h))
    return torch.stack(path, 1)


with torch.no_grad():
    data = rollout(pendulum, torch.rand(200, 2) * 4 - 2, 20)
field = Field()
opt = torch.optim.AdamW(field.parameters(), lr=1e-2)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 250)
for it in range(250):
    idx = torch.randint(0, 150, (32,))
    path = rollout(field, data[idx, 0], 20)
    loss = (path - data[idx]).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    if it % 50 == 0:
        print(it, loss.item())

with torch.no_grad():
    p = rollout(field, data[150:, 0], 20)
    r2 = 1 - (p - data[150:]).pow(2).mean() / data[150:].var()
print(f"metric=r2 value={r2.item():.4f}")
