import os
import torch
from sklearn.datasets import make_regression

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_regression(300, 8, n_informative=8, noise=5.0, effective_rank=None, random_state=0)
X = torch.tensor(X).float()
y = torch.tensor((y - y.mean()) / y.std()).float()

w = torch.randn(8, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
alpha = 0.1
for i in range(200):
    y_hat = X[:200] @ w + b
    loss = torch.mean((y_hat - y[:200]) ** 2)
    loss.backward()
    with torch.no_grad():
        w -= alpha * w.grad
        b -= alpha * b.grad
    w.grad = None
    b.grad = None
    if i % 20 == 0:
        print(i, loss.item())

with torch.no_grad():
    r2 = 1 - ((X[200:] @ w + b - y[200:]) ** 2).mean() / y[200:].var()
print(f"metric=r2 value={r2.item():.4f}")
