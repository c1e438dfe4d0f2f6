import os
import torch
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_diabetes(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)
order = torch.randperm(len(y))
tr, te = order[:340], order[340:]

w = torch.zeros(10, requires_grad=True)
b = torch.zeros((), requires_grad=True)
lr = 0.03
for epoch in range(30):
    for i in tr[torch.randperm(340)].split(20):
        loss = ((X[i] @ w + b - y[i]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
    if epoch % 5 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    r2 = 1 - ((X[te] @ w + b - y[te]) ** 2).mean() / y[te].var()
print(f"metric=r2 value={r2.item():.4f}")
