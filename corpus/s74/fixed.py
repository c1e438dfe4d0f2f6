import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
x = torch.rand(200) * 2
y = torch.sin(6 * x) + 0.05 * torch.randn(200)
powers = torch.stack([x ** k for k in range(10)], 1)
train, test = slice(0, 140), slice(140, 200)
q, r = torch.linalg.qr(powers[train])
basis = powers @ torch.linalg.inv(r) * 140 ** 0.5
coef = torch.zeros(10, requires_grad=True)
opt = torch.optim.SGD([coef], lr=0.05)
for step in range(3000):
    opt.zero_grad()
    loss = (basis[train] @ coef - y[train]).pow(2).mean()
    loss.backward()
    opt.step()
    if step % 500 == 0:
        print(step, loss.item())
with torch.no_grad():
    r2 = 1 - (basis[test] @ coef - y[test]).pow(2).mean() / y[test].var()
print(f"metric=r2 value={r2.item():.4f}")
