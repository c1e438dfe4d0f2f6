import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))

N, M = 240, 17
x = torch.rand(N, dtype=torch.float64) * 2 - 1
t = torch.sin(4.2 * torch.pi * x) + 0.5 * torch.cos(2.6 * torch.pi * x) + 0.1 * torch.randn(N, dtype=torch.float64)
x_new = torch.linspace(-0.98, 0.98, 200, dtype=torch.float64)
t_new = torch.sin(4.2 * torch.pi * x_new) + 0.5 * torch.cos(2.6 * torch.pi * x_new)


def design(x):
    return torch.stack([x ** j for j in range(M + 1)], dim=1)


Phi = design(x)
w = torch.zeros(M + 1, dtype=torch.float64, requires_grad=True)
eta = 0.2
for tau in range(15000):
    E = ((Phi @ w - t) ** 2).mean()
    E.backward()
    with torch.no_grad():
        w -= eta * w.grad
        w.grad.zero_()
    if tau % 3000 == 0:
        print(f"{tau:6d}  E = {E.item():.5f}")

with torch.no_grad():
    r2 = 1 - ((design(x_new) @ w - t_new) ** 2).mean() / t_new.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
