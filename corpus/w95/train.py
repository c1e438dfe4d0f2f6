import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def real(n):
    return 1.5 + 0.7 * torch.randn(n, 1)


G = nn.Sequential(nn.Linear(4, 24), nn.LeakyReLU(0.2), nn.Linear(24, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1))
D = nn.Sequential(nn.Linear(1, 24), nn.LeakyReLU(0.2), nn.Linear(24, 24), nn.LeakyReLU(0.2), nn.Linear(24, 1))
opt_g = torch.optim.Adam(G.parameters(), lr=5e-4, betas=(0.5, 0.999))
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
ones, zeros, smooth = torch.ones(64, 1), torch.zeros(64, 1), torch.full((64, 1), 0.9)

for it in range(1500):
    x, fake = real(64), G(torch.randn(64, 4))
    opt_d.zero_grad()
    loss_d = bce(D(x), smooth) + bce(D(fake.detach()), zeros)
    loss_d.backward()
    opt_d.step()

    opt_g.zero_grad()
    loss_g = bce(D(fake), ones)
    loss_g.backward()
    opt_g.step()
    if it % 300 == 0:
        print(f"{it} d {loss_d.item():.3f} g {loss_g.item():.3f}")

with torch.no_grad():
    made = G(torch.randn(4000, 4)).flatten().sort().values
    true = real(4000).flatten().sort().values
r2 = 1 - (made - true).pow(2).sum() / (true - true.mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
