import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))


def features(x, degree):
    cols = [torch.ones_like(x), x]
    for _ in range(degree - 1):
        cols.append(2 * x * cols[-1] - cols[-2])
    return torch.stack(cols, 1)


def truth(x):
    return torch.sin(7.0 * x) + 0.4 * x


x_train = 2 * torch.rand(200) - 1
y_train = truth(x_train) + 0.05 * torch.randn(200)
x_test = 2 * torch.rand(200) - 1
y_test = truth(x_test)

degree = 13
A_train, A_test = features(x_train, degree), features(x_test, degree)
coef = torch.zeros(degree + 1, requires_grad=True)

eta = 0.2
for k in range(4000):
    residual = A_train @ coef - y_train
    mse = residual.pow(2).mean()
    mse.backward()
    with torch.no_grad():
        coef.sub_(eta * coef.grad)
        coef.grad.zero_()
    if k % 500 == 0:
        print(k, f"{mse.item():.5f}")

with torch.no_grad():
    err = (A_test @ coef - y_test).pow(2).sum()
    r2 = 1 - err / (y_test - y_test.mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
