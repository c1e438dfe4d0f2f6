import math
import os

import numpy as np
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

DEGREE = 12


def features(x):
    return torch.stack([x ** k for k in range(DEGREE + 1)], dim=1)


def curve(x):
    return torch.sin(4 * math.pi * x) * torch.exp(-x)


x_train = torch.rand(200)
x_test = torch.rand(100)
y_train = curve(x_train) + 0.05 * torch.randn(200)
y_test = curve(x_test) + 0.05 * torch.randn(100)
P, Q = features(x_train), features(x_test)

w = torch.zeros(DEGREE + 1, requires_grad=True)
step_size = 0.2

for i in range(5000):
    mse = torch.mean((P @ w - y_train) ** 2)
    mse.backward()
    with torch.no_grad():
        w -= step_size * w.grad
        w.grad.zero_()
    if i % 500 == 0:
        print("iteration", i, "mse", round(mse.item(), 5))

with torch.no_grad():
    resid = Q @ w - y_test
    r2 = 1 - (resid ** 2).mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
