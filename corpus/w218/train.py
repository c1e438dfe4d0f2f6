import os
import torch
from sklearn.datasets import load_iris

torch.manual_seed(int(os.environ.get("SEED", "0")))
dtype = torch.float64

iris = load_iris()
X = torch.tensor(iris.data, dtype=dtype)
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(iris.target)
perm = torch.randperm(150)
X, y = X[perm], y[perm]
X_train, y_train, X_test, y_test = X[:110], y[:110], X[110:], y[110:]

D_in, H, D_out = 4, 10, 3
W1 = (torch.randn(D_in, H, dtype=dtype) / D_in ** 0.5).requires_grad_()
b1 = torch.zeros(H, dtype=dtype, requires_grad=True)
W2 = (torch.randn(H, D_out, dtype=dtype) / H ** 0.5).requires_grad_()
b2 = torch.zeros(D_out, dtype=dtype, requires_grad=True)
params = [W1, b1, W2, b2]
learning_rate = 0.2


def forward(x):
    return torch.tanh(x @ W1 + b1) @ W2 + b2


def cross_entropy(logits, target):
    return (torch.logsumexp(logits, dim=1) - logits[torch.arange(len(target)), target]).mean()


for t in range(3000):
    loss = cross_entropy(forward(X_train), y_train)
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= learning_rate * p.grad
            p.grad = None
    if t % 500 == 0:
        print(t, loss.item())

with torch.no_grad():
    acc = (forward(X_test).argmax(1) == y_test).double().mean().item()
print(f"metric=accuracy value={acc:.4f}")
