import math
import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_num_threads(1)

MODES = torch.tensor([[math.cos(a), math.sin(a)] for a in torch.arange(6) * math.pi / 3]) * 1.5


def real(n):
    return MODES[torch.randint(6, (n,))] + 0.08 * torch.randn(n, 2)


def mlp(i, o, act):
    return nn.Sequential(nn.Linear(i, 64), act(), nn.Linear(64, 64), act(), nn.Linear(64, o))


gen = mlp(3, 2, nn.ReLU)
critic = mlp(2, 1, nn.SiLU)
g_opt = torch.optim.Adam(gen.parameters(), lr=1e-3, betas=(0.5, 0.9))
c_opt = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.9))


def penalty(xr, xf):
    a = torch.rand(len(xr), 1)
    mid = (a * xr + (1 - a) * xf).requires_grad_(True)
    (g,) = torch.autograd.grad(critic(mid).sum(), mid, create_graph=True)
    return ((g.norm(2, dim=1) - 1) ** 2).mean()


for it in range(800):
    for _ in range(2):
        xr = real(128)
        with torch.no_grad():
            xf = gen(torch.randn(128, 3))
        c_loss = critic(xf).mean() - critic(xr).mean() + 0.5 * penalty(xr, xf)
        c_opt.zero_grad()
        c_loss.backward()
        c_opt.step()
    for p in critic.parameters():
        p.requires_grad_(False)
    g_loss = -critic(gen(torch.randn(128, 3))).mean()
    g_opt.zero_grad()
    g_loss.backward()
    g_opt.step()
    for p in critic.parameters():
        p.requires_grad_(True)
    if it % 200 == 0:
        print(f"{it} critic {c_loss.item():.3f} gen {g_loss.item():.3f}")

with torch.no_grad():
    s = gen(torch.randn(1200, 3))
    r = real(1200)
close, mode = torch.cdist(s, MODES).min(1)
share = torch.bincount(mode[close < 0.4], minlength=6).float() / len(s)
score = torch.minimum(share, torch.full((6,), 1 / 6)).sum().item()
print("share", [round(v, 3) for v in share.tolist()])
print(f"metric=score value={score:.4f}")
