import os, math
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def real(n):
    """Points on a ring of radius 2 around (2, 1)."""
    a = torch.rand(n) * 2 * math.pi
    return torch.stack([2 + 2 * a.cos(), 1 + 2 * a.sin()], 1) + 0.1 * torch.randn(n, 2)


def energy(a, b):
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


G = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
D = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
bce = nn.BCEWithLogitsLoss()
opt_g = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.999))
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
one, zero = torch.ones(128, 1), torch.zeros(128, 1)
start = energy(G(torch.randn(1000, 4)).detach(), real(1000))
for step in range(600):
    fake = G(torch.randn(128, 4))
    opt_d.zero_grad()
    loss_d = bce(D(real(128)), one) + bce(D(fake.detach()), zero)
    loss_d.backward()
    opt_d.step()

    opt_g.zero_grad()
    loss_g = bce(D(fake), one)
    loss_g.backward()
    opt_g.step()
    if step % 100 == 0:
        print(f"step {step} D {loss_d.item():.3f} G {loss_g.item():.3f}")
with torch.no_grad():
    end = energy(G(torch.randn(1000, 4)), real(1000))
print(f"metric=closer value={1 - end / start:.4f}")
