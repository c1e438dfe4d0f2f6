import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
u = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
opt = torch.optim.Adam(u.parameters(), lr=4e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 1200)
t0 = torch.zeros(1, 1, requires_grad=True)
d = lambda f, t: torch.autograd.grad(f.sum(), t, create_graph=True)[0]
for step in range(1200):
    t = (torch.rand(48, 1) * 4).requires_grad_()
    f = u(t)
    df = d(f, t)
    residual = d(df, t) + 0.3 * df + 2.0 * f
    f0 = u(t0)
    loss = residual.pow(2).mean() + 10 * (f0 - 1).pow(2).mean() + 10 * d(f0, t0).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    if step % 200 == 0:
        print(step, loss.item())
with torch.no_grad():
    t = torch.linspace(0, 4, 100).unsqueeze(1)
    w = (2.0 - 0.15 ** 2) ** 0.5
    exact = torch.exp(-0.15 * t) * (torch.cos(w * t) + 0.15 / w * torch.sin(w * t))
    r2 = 1 - (u(t) - exact).pow(2).mean() / exact.var()
print(f"metric=r2 value={r2.item():.4f}")
