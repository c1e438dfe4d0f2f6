import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
x = 4 * torch.rand(400, 2) - 2
y = torch.sin(2.5 * x[:, :1]) * x[:, 1:]

spread = 2.0
w1 = (spread * torch.randn(2, 12)).requires_grad_()
b1 = (spread * 2 * torch.randn(12)).requires_grad_()
w2 = (spread * torch.randn(12, 12)).requires_grad_()
b2 = (spread * torch.randn(12)).requires_grad_()
w3 = (0.2 * torch.randn(12, 1)).requires_grad_()
b3 = torch.zeros(1, requires_grad=True)
params = [w1, b1, w2, b2, w3, b3]
keep = torch.rand(400) < 0.6


def f(x):
    h = torch.sigmoid(x @ w1 + b1)
    h = torch.sigmoid(h @ w2 + b2)
    return h @ w3 + b3


lr = 0.2
for step in range(9000):
    loss = ((f(x[keep]) - y[keep]) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad
            p.grad = None
    if step % 500 == 0:
        print(step, loss.item())

with torch.no_grad():
    r2 = 1 - ((f(x[~keep]) - y[~keep]) ** 2).mean() / y[~keep].var()
print(f"metric=r2 value={r2.item():.4f}")
