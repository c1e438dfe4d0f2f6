import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
X = torch.randn(500, 6) * torch.tensor([1.0, 1.5, 0.7, 1.2, 0.5, 2.0])
y = X @ torch.tensor([0.5, -0.4, 0.3, 0.2, -0.6, 0.1]) + 1.5 * torch.randn(500)
w = torch.zeros(6, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.05
for epoch in range(40):
    for i in torch.randperm(400).split(40):
        loss = ((X[i] @ w + b - y[i]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
            w.grad.zero_()
            b.grad.zero_()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - ((X[400:] @ w + b - y[400:]) ** 2).mean() / y[400:].var()
print(f"metric=r2 value={r2.item():.4f}")
