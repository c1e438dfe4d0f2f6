import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))

DEGREE = 15
N = 240


def f(t):
    return torch.sin(6 * torch.pi * t) + 0.5 * torch.cos(7 * t)


def features(t):
    return torch.stack([t ** k for k in range(DEGREE + 1)], dim=1)


def mse(pred, target):
    return ((pred - target) ** 2).mean()


t = torch.rand(N)
y = f(t) + 0.05 * torch.randn(N)
t_test = torch.linspace(0, 1, 101)
y_test = f(t_test)

Phi, Phi_test = features(t), features(t_test)
w = torch.zeros(DEGREE + 1, requires_grad=True)
lr = 0.3

for it in range(30000):
    loss = mse(Phi @ w, y)
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        w.grad.zero_()
    if it % 3000 == 0:
        print(f"iteration {it:5d}   loss {loss.item():.5f}   |w| {w.norm().item():.3f}")

print("coefficients", [round(c, 3) for c in w.tolist()])
with torch.no_grad():
    r2 = 1 - mse(Phi_test @ w, y_test) / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
