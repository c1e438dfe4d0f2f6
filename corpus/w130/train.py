import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_default_dtype(torch.float64)

n, d = 400, 12
scales = torch.logspace(0, -1.5, d)
Q, _ = torch.linalg.qr(torch.randn(d, d))
A = torch.randn(n, d) * scales @ Q.T
truth = Q @ (torch.randn(d) / scales)
b = A @ truth + 0.3 * torch.randn(n)

eig = torch.linalg.eigvalsh(2 * A.T @ A / n)
low, high = eig[0].sqrt(), eig[-1].sqrt()
rate = (2 / (high + low)) ** 2
mu = ((high - low) / (high + low)) ** 2
print(f"condition {(eig[-1] / eig[0]).item():.0f}, rate {rate.item():.4f}, momentum {mu.item():.4f}")

w = torch.zeros(d, requires_grad=True)
last = torch.zeros(d)
for k in range(600):
    loss = ((A @ w - b) ** 2).mean()
    g, = torch.autograd.grad(loss, w)
    with torch.no_grad():
        step = -rate * g + mu * last
        w += step
        last = step
    if k % 60 == 0:
        print(k, loss.item())

with torch.no_grad():
    fresh = torch.randn(500, d) * scales @ Q.T
    want = fresh @ truth
    r2 = 1 - ((fresh @ w - want) ** 2).mean() / want.var()
print(f"metric=r2 value={r2.item():.4f}")
