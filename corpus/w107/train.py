import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

N_CLASS, Z = 3, 4
centres = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])


def real(n):
    c = torch.randint(0, N_CLASS, (n,))
    return centres[c] + 0.3 * torch.randn(n, 2), c


class CondG(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(N_CLASS, 6)
        self.f = nn.Sequential(nn.Linear(Z + 6, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 2))

    def forward(self, c):
        return self.f(torch.cat([torch.randn(len(c), Z), self.emb(c)], 1))


class CondD(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(N_CLASS, 6)
        self.f = nn.Sequential(nn.Linear(8, 40), nn.LeakyReLU(0.2), nn.Linear(40, 40), nn.LeakyReLU(0.2), nn.Linear(40, 1))

    def forward(self, x, c):
        return self.f(torch.cat([x, self.emb(c)], 1))


g, d = CondG(), CondD()
og = torch.optim.Adam(g.parameters(), 1e-3, betas=(0.5, 0.9))
od = torch.optim.Adam(d.parameters(), 1e-3, betas=(0.5, 0.9))
for step in range(1000):
    x, c = real(64)
    fake = g(c)
    ld = 0.5 * (d(x, c) - 1).pow(2).mean() + 0.5 * d(fake.detach(), c).pow(2).mean()
    od.zero_grad()
    ld.backward()
    od.step()
    lg = 0.5 * (d(fake, c) - 1).pow(2).mean()
    og.zero_grad()
    lg.backward()
    og.step()
    if step % 200 == 0:
        print(step, f"D {ld.item():.4f} G {lg.item():.4f}")

with torch.no_grad():
    c = torch.randint(0, N_CLASS, (2000,))
    near = torch.cdist(g(c), centres).argmin(1)
    acc = (near == c).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
