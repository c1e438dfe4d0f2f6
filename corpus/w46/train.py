import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
xa, xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
xa, xb = torch.tensor(xa).float(), torch.tensor(xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)

state = [torch.randn(64, 32) * (2 / 64) ** 0.5, torch.zeros(32), torch.randn(32, 10) * (1 / 32) ** 0.5, torch.zeros(10)]
momentum = [torch.zeros_like(s) for s in state]


def apply(params, x):
    w1, b1, w2, b2 = params
    return F.softplus(x @ w1 + b1, beta=5) @ w2 + b2


loss_of = lambda params, x, y: F.cross_entropy(apply(params, x), y)
step = torch.func.grad_and_value(loss_of)
for epoch in range(15):
    for i in torch.randperm(len(xa)).split(32):
        grads, loss = step(state, xa[i], ya[i])
        momentum = [0.9 * m + g for m, g in zip(momentum, grads)]
        state = [s - 0.05 * m for s, m in zip(state, momentum)]
    if epoch % 5 == 0:
        print(epoch, loss.item())
acc = (apply(state, xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
