import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def real(n):
    a = torch.rand(n) * 2 * math.pi
    return torch.stack([2 + 2 * a.cos(), 1 + 2 * a.sin()], 1) + 0.1 * torch.randn(n, 2)


def energy(a, b):
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, n):
        return self.net(torch.randn(n, 4))


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))

    def forward(self, x):
        return self.net(x)


def penalty(critic, a, b):
    e = torch.rand(len(a), 1)
    x = (e * a + (1 - e) * b).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return ((slope.norm(dim=1) - 1) ** 2).mean()


gen, critic = Generator(), Critic()
opt_g = torch.optim.Adam(gen.parameters(), lr=2e-3, betas=(0.0, 0.9))
opt_c = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))
start = energy(gen(1000).detach(), real(1000))
for step in range(250):
    for _ in range(3):
        x, z = real(64), gen(64).detach()
        loss_c = critic(z).mean() - critic(x).mean() + 10 * penalty(critic, x, z)
        opt_c.zero_grad()
        loss_c.backward()
        opt_c.step()
    loss_g = -critic(gen(64)).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    if step % 50 == 0:
        print(f"{step}: critic {loss_c.item():.3f} generator {loss_g.item():.3f}")
end = energy(gen(1000).detach(), real(1000))
print(f"metric=closer value={1 - end / start:.4f}")
