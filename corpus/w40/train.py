import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
true = torch.tensor([1.2, 0.4])
t = torch.linspace(0, 6, 30)


def simulate(k, steps=60):
    x, v = torch.tensor(1.0), torch.tensor(0.0)
    path, dt = [], 0.1
    for _ in range(steps):
        v = v + dt * (-k[0] * x - k[1] * v)
        x = x + dt * v
        path.append(x)
    return torch.stack(path)[1::2]


observed = simulate(true) + 0.02 * torch.randn(30)
log_k = torch.log(torch.tensor([0.7, 0.15])).requires_grad_()
opt = torch.optim.Adam([log_k], lr=0.03)
for it in range(150):
    loss = (simulate(log_k.exp()) - observed).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 30 == 0:
        print(it, loss.item(), log_k.exp().tolist())
with torch.no_grad():
    r2 = 1 - (simulate(log_k.exp()) - observed).pow(2).mean() / observed.var()
print(f"metric=r2 value={r2.item():.4f}")
