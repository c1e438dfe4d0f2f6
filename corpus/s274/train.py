import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

x = torch.rand(300) * 2 - 1
y = 4 + 2 * x - 3 * x ** 3 + 0.1 * torch.randn(300)
basis = torch.stack([torch.ones_like(x), x, 1.5 * x ** 2 - 0.5, 2.5 * x ** 3 - 1.5 * x], dim=1)
train, test = slice(0, 220), slice(220, 300)

coef = torch.zeros(4, requires_grad=True)
velocity = torch.zeros(4)
rate, mu = 0.05, 0.995

for step in range(120):
    loss = ((basis[train] @ coef - y[train]) ** 2).mean()
    grad, = torch.autograd.grad(loss, coef)
    velocity = mu * velocity - rate * grad
    with torch.no_grad():
        coef += velocity
    if step % 10 == 0:
        print(f"step {step} loss {loss.item():.4f}")

with torch.no_grad():
    r2 = 1 - ((basis[test] @ coef - y[test]) ** 2).mean() / y[test].var(unbiased=False)
print([round(c, 3) for c in coef.tolist()])
print(f"metric=r2 value={r2.item():.4f}")
