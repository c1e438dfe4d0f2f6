import os
import numpy as np
import torch
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

X, y = load_digits(return_X_y=True)
X = torch.tensor(X, dtype=torch.float32) / 16
y = torch.tensor(y)
perm = torch.randperm(len(X))
X, y = X[perm], y[perm]
X_train, y_train, X_val, y_val = X[:1350], y[:1350], X[1350:], y[1350:]


def init(n_in, n_out):
    return torch.randn(n_in, n_out) * (2.0 / n_in) ** 0.5, torch.zeros(n_out)


W1, b1 = init(64, 80)
W2, b2 = init(80, 40)
W3, b3 = init(40, 10)
theta = [p.requires_grad_() for p in (W1, b1, W2, b2, W3, b3)]
m = [torch.zeros_like(p) for p in theta]
v = [torch.zeros_like(p) for p in theta]
beta1, beta2, eps, lr = 0.9, 0.999, 1e-8, 2e-3


def logits(x):
    h1 = (x @ W1 + b1).clamp(min=0)
    h2 = (h1 @ W2 + b2).clamp(min=0)
    return h2 @ W3 + b3


def cross_entropy(z, target):
    return (torch.logsumexp(z, 1) - z.gather(1, target[:, None]).squeeze(1)).mean()


k = 0
for epoch in range(40):
    for rows in torch.randperm(len(X_train)).split(45):
        loss = cross_entropy(logits(X_train[rows]), y_train[rows])
        loss = loss + 1e-4 * sum((W ** 2).sum() for W in (W1, W2, W3))
        grads = torch.autograd.grad(loss, theta)
        k += 1
        with torch.no_grad():
            for p, g, a, s in zip(theta, grads, m, v):
                a.mul_(beta1).add_(g, alpha=1 - beta1)
                s.mul_(beta2).addcmul_(g, g, value=1 - beta2)
                p -= lr * (a / (1 - beta1 ** k)) / ((s / (1 - beta2 ** k)).sqrt() + eps)
    if epoch % 8 == 7:
        with torch.no_grad():
            print(f"epoch {epoch + 1:2d} train {loss.item():.4f} val {cross_entropy(logits(X_val), y_val).item():.4f}")

with torch.no_grad():
    acc = (logits(X_val).argmax(1) == y_val).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
