import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

n, m = 8, 160
signal = torch.randn(n)
signal = signal / signal.norm()
A = torch.randn(m, n)
y = (A @ signal) ** 2

x = (0.3 * torch.randn(n)).requires_grad_(True)
rate = 0.03
for step in range(120):
    loss = ((A @ x) ** 2 - y).pow(2).mean() / 4
    (g,) = torch.autograd.grad(loss, x)
    with torch.no_grad():
        x -= rate * g
    if step % 10 == 0:
        print(f"{step:4d}  loss {loss.item():.6f}")

with torch.no_grad():
    B = torch.randn(500, n)
    want, got = (B @ signal) ** 2, (B @ x) ** 2
    r2 = 1 - ((want - got) ** 2).mean() / want.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
