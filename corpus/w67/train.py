import os
import torch
from sklearn.datasets import load_breast_cancer

torch.manual_seed(int(os.environ.get("SEED", 0)))
# linear support vector machine, Pegasos style: step 1 / (lambda t), hinge loss, averaged weights
X, y = load_breast_cancer(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor(2.0 * y - 1).float()
perm = torch.randperm(len(y))
tr, te = perm[:400], perm[400:]

w = torch.zeros(30, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lam = 1e-3
average = torch.zeros(31)
for t in range(1, 3001):
    i = tr[torch.randint(400, (8,))]
    loss = lam / 2 * w.dot(w) + (1 - y[i] * (X[i] @ w + b)).clamp(min=0).mean()
    loss.backward()
    with torch.no_grad():
        rate = min(0.5, 1 / (lam * t + 10))
        w -= rate * w.grad
        b -= rate * b.grad
        w.grad = None
        b.grad = None
        if t > 1000:
            average += torch.cat([w, b]) / 2000
    if t % 500 == 0:
        print(t, loss.item())
acc = ((X[te] @ average[:30] + average[30] > 0) == (y[te] > 0)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
