# Exercise 3: harmonic regression of a daily temperature record, gradient descent by hand
import math
import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))

days = torch.arange(3 * 365, dtype=torch.float32)
year = 2 * math.pi * days / 365.25
temp = 9.5 + 8.0 * torch.sin(year - 1.9) + 1.2 * torch.cos(2 * year) + 0.6 * days / 365
temp = temp + 1.5 * torch.randn(len(days))


def design(d):
    w = 2 * math.pi * d / 365.25
    trend = d / (3 * 365) - 0.5
    cols = [torch.ones_like(d), trend]
    for k in (1, 2):
        cols += [torch.sin(k * w), torch.cos(k * w)]
    return torch.stack(cols, dim=1)


order = torch.randperm(len(days))
train, test = order[:800], order[800:]
A, A_test = design(days[train]), design(days[test])
t, t_test = temp[train], temp[test]

theta = torch.zeros(A.shape[1], requires_grad=True)
lr = 0.0013
for it in range(1, 301):
    residual = A @ theta - t
    loss = (residual ** 2).sum()
    loss.backward()
    with torch.no_grad():
        theta -= lr * theta.grad
        theta.grad.zero_()
    if it % 30 == 0:
        print(f"iteration {it}: SSE = {loss.item():.4g}")

with torch.no_grad():
    sse = ((A_test @ theta - t_test) ** 2).sum()
    sst = ((t_test - t_test.mean()) ** 2).sum()
    print("theta:", theta.tolist())
print(f"metric=r2 value={(1 - sse / sst).item():.4f}")
