# Softmax regression from scratch, minibatch gradient descent written out by hand.
import os
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

data = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    data.data / 16.0, data.target, test_size=0.3, random_state=seed, stratify=data.target)
X_train, X_test = (torch.tensor(a, dtype=torch.float32) for a in (X_train, X_test))
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

W = torch.zeros(64, 10, requires_grad=True)
b = torch.zeros(10, requires_grad=True)


def log_softmax(z):
    z = z - z.max(dim=1, keepdim=True).values
    return z - z.exp().sum(dim=1, keepdim=True).log()


def nll(X, y):
    return -log_softmax(X @ W + b)[torch.arange(len(y)), y].mean()


def accuracy(X, y):
    with torch.no_grad():
        return ((X @ W + b).argmax(1) == y).float().mean().item()


batch_size, epochs, lr0 = 32, 60, 0.5
for epoch in range(epochs):
    lr = lr0 / (1 + 0.05 * epoch)
    perm = torch.randperm(len(X_train))
    total = 0.0
    for start in range(0, len(perm), batch_size):
        idx = perm[start:start + batch_size]
        loss = nll(X_train[idx], y_train[idx])
        loss.backward()
        with torch.no_grad():
            for p in (W, b):
                p -= lr * p.grad
                p.grad = None
        total += loss.item() * len(idx)
    if epoch % 10 == 0:
        print(f"epoch {epoch:2d} nll {total / len(perm):.4f} test acc {accuracy(X_test, y_test):.4f}")

print(f"metric=accuracy value={accuracy(X_test, y_test):.4f}")
