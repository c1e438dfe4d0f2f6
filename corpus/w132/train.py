import os
import torch
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
order = torch.randperm(len(X))
X, y = X[order], y[order]

sizes = [64, 100, 50, 10]
params = []
for a, b in zip(sizes, sizes[1:]):
    params.append([torch.randn(a, b) * (2 / a) ** 0.5, torch.zeros(b)])
for w, b in params:
    w.requires_grad_()
    b.requires_grad_()


def predict(x):
    for k, (w, b) in enumerate(params):
        x = x @ w + b
        if k < len(params) - 1:
            x = x * (x > 0)
    return x - x.logsumexp(dim=1, keepdim=True)


rate = 0.3
for epoch in range(25):
    running = 0.0
    for rows in torch.randperm(1350).split(30):
        loss = -predict(X[rows])[torch.arange(len(rows)), y[rows]].mean()
        loss.backward()
        running += loss.item()
        with torch.no_grad():
            for w, b in params:
                w *= 1 - rate * 1e-4
                w -= rate * w.grad
                b -= rate * b.grad
                w.grad.zero_()
                b.grad.zero_()
    rate *= 0.9
    if epoch % 5 == 0:
        print(f"epoch {epoch} loss {running / 45:.4f} rate {rate:.4f}")

with torch.no_grad():
    acc = (predict(X[1350:]).argmax(dim=1) == y[1350:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
