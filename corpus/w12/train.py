import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))


def real(n):
    c = torch.randint(0, 4, (n,))
    angle = c * 1.5708
    return 1.5 * torch.stack([angle.cos(), angle.sin()], 1) + 0.15 * torch.randn(n, 2)


G = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
D = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
g_opt = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.9))
d_opt = torch.optim.Adam(D.parameters(), lr=2e-3, betas=(0.5, 0.9))
for step in range(1500):
    x, fake = real(96), G(torch.randn(96, 4))
    d_loss = F.relu(1 - D(x)).mean() + F.relu(1 + D(fake.detach())).mean()
    d_opt.zero_grad()
    d_loss.backward()
    d_opt.step()
    D.requires_grad_(False)
    g_loss = -D(fake).mean()
    g_opt.zero_grad()
    g_loss.backward()
    g_opt.step()
    D.requires_grad_(True)
    if step % 250 == 0:
        print(step, d_loss.item(), g_loss.item())
with torch.no_grad():
    z = G(torch.randn(2000, 4))
    modes = 1.5 * torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    d, k = torch.cdist(z, modes).min(1)
    share = torch.bincount(k[d < 0.6], minlength=4) / 2000
quality = share.clamp(max=0.25).sum().item()
print(f"metric=coverage value={quality:.4f}")
