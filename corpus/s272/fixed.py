import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
x = torch.rand(400, 2) * 4 - 2
y = (3 + x[:, :1] * torch.cos(x[:, 1:]) + 0.05 * torch.randn(400, 1))
x_train, y_train, x_test, y_test = x[:300], y[:300], x[300:], y[300:]

W1 = (torch.randn(2, 24) / 2 ** 0.5).requires_grad_()
b1 = torch.zeros(24, requires_grad=True)
W2 = (torch.randn(24, 1) / 24 ** 0.5).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)
params = [W1, b1, W2, b2]
hidden = [W1, b1]


def net(x):
    return torch.tanh(x @ W1 + b1) @ W2 + b2


lr = 0.05
for epoch in range(80):
    for idx in torch.randperm(300).split(30):
        loss = ((net(x_train[idx]) - y_train[idx]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in params:
                p -= lr * p.grad
            for p in params:
                p.grad.zero_()
    if epoch % 10 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    r2 = 1 - ((net(x_test) - y_test) ** 2).mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
