import os

import torch
from sklearn.datasets import load_wine

torch.manual_seed(int(os.environ.get("SEED", "0")))

wine = load_wine()
X = torch.tensor(wine.data, dtype=torch.float32)
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(wine.target)
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(11))
X_train, y_train = X[order[:130]], y[order[:130]]
X_test, y_test = X[order[130:]], y[order[130:]]


def glorot(n_in, n_out):
    limit = (6.0 / (n_in + n_out)) ** 0.5
    return torch.empty(n_in, n_out).uniform_(-limit, limit)


class DeepNet:
    def __init__(self, sizes, activation):
        self.W = [glorot(a, b).requires_grad_() for a, b in zip(sizes[:-1], sizes[1:])]
        self.b = [torch.zeros(b, requires_grad=True) for b in sizes[1:]]
        self.activation = activation

    def parameters(self):
        return self.W + self.b

    def __call__(self, x):
        for W, b in zip(self.W[:-1], self.b[:-1]):
            x = self.activation(x @ W + b)
        return x @ self.W[-1] + self.b[-1]


net = DeepNet([13] + [20] * 10 + [3], torch.tanh)
velocity = [torch.zeros_like(p) for p in net.parameters()]
lr, beta = 0.05, 0.9

for epoch in range(150):
    for rows in torch.randperm(len(X_train)).split(26):
        loss = torch.nn.functional.cross_entropy(net(X_train[rows]), y_train[rows])
        grads = torch.autograd.grad(loss, net.parameters())
        with torch.no_grad():
            for p, v, g in zip(net.parameters(), velocity, grads):
                v.mul_(beta).add_(g)
                p.sub_(lr * v)
    if epoch % 15 == 0:
        print(f"epoch {epoch:3d}  loss {loss.item():.4f}")

with torch.no_grad():
    acc = (net(X_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
