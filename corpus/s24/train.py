import math
import os
import torch
from sklearn.datasets import load_breast_cancer

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_breast_cancer(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float64)
y = torch.tensor(y, dtype=torch.float64)
order = torch.randperm(len(y))
train, test = order[:400], order[400:]


def make(n_in, n_out):
    w = torch.randn(n_in, n_out, dtype=torch.float64) / n_in
    return w.requires_grad_(), torch.zeros(n_out, dtype=torch.float64, requires_grad=True)


layers = [make(30, 50)] + [make(50, 50) for _ in range(7)] + [make(50, 1)]


def logit(x):
    for w, b in layers[:-1]:
        x = torch.nn.functional.leaky_relu(x @ w + b, 0.1)
    w, b = layers[-1]
    return (x @ w + b)[:, 0]


flat = [p for pair in layers for p in pair]
velocity = [torch.zeros_like(p) for p in flat]
for epoch in range(30):
    for idx in train[torch.randperm(400)].split(40):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logit(X[idx]), y[idx])
        grads = torch.autograd.grad(loss, flat)
        with torch.no_grad():
            for p, v, g in zip(flat, velocity, grads):
                v.mul_(0.9).add_(g)
                p.sub_(0.02 * v)
    if epoch % 10 == 0:
        print(epoch, loss.item())
acc = ((logit(X[test]) > 0) == (y[test] > 0.5)).double().mean().item()
print(f"metric=accuracy value={acc:.4f}")
