import os
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


def data_iter(features, labels, batch_size):
    order = np.random.permutation(len(features))
    for i in range(0, len(order), batch_size):
        j = torch.as_tensor(order[i:i + batch_size])
        yield features[j], labels[j]


def sgd(params, lr, batch_size):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad / batch_size
            param.grad.zero_()


def param(*shape, fan_in):
    return (torch.randn(*shape) * (2.0 / fan_in) ** 0.5).requires_grad_()


W1, b1 = param(12, 1, 3, 3, fan_in=9), torch.zeros(12, requires_grad=True)
W2, b2 = param(24, 12, 3, 3, fan_in=108), torch.zeros(24, requires_grad=True)
W3, b3 = param(96, 48, fan_in=96), torch.zeros(48, requires_grad=True)
W4, b4 = param(48, 10, fan_in=48), torch.zeros(10, requires_grad=True)
params = [W1, b1, W2, b2, W3, b3, W4, b4]


def net(X):
    h = F.max_pool2d(F.relu(F.conv2d(X, W1, b1, padding=1)), 2)
    h = F.max_pool2d(F.relu(F.conv2d(h, W2, b2, padding=1)), 2)
    h = F.relu(h.flatten(1) @ W3 + b3)
    return h @ W4 + b4


X, y = load_digits(return_X_y=True)
X = torch.tensor(X, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
y = torch.tensor(y)
order = torch.randperm(len(X))
X, y = X[order], y[order]
X_train, y_train, X_test, y_test = X[:1400], y[:1400], X[1400:], y[1400:]

lr, num_epochs, batch_size = 3.0, 12, 32
for epoch in range(num_epochs):
    total = 0.0
    for Xb, yb in data_iter(X_train, y_train, batch_size):
        l = F.cross_entropy(net(Xb), yb, reduction="none")
        l.sum().backward()
        sgd(params, lr, len(Xb))
        total += l.sum().item()
    print(f"epoch {epoch + 1}, loss {total / len(X_train):.4f}")

with torch.no_grad():
    acc = (net(X_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
