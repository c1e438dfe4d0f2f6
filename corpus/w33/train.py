import os
import torch
import torch.nn as nn
from sklearn.datasets import load_iris

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_iris(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).double()
y = torch.tensor(y)
perm = torch.randperm(150, generator=torch.Generator().manual_seed(4))
tr, te = perm[:100], perm[100:]
W = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
c = torch.zeros(3, dtype=torch.float64, requires_grad=True)
velocity = [torch.zeros_like(W), torch.zeros_like(c)]
for epoch in range(300):
    loss = -torch.log_softmax(X[tr] @ W + c, 1)[torch.arange(100), y[tr]].mean() + 1e-3 * W.pow(2).sum()
    for p, v, g in zip((W, c), velocity, torch.autograd.grad(loss, (W, c))):
        v.mul_(0.9).add_(g, alpha=-0.1)
        p.data.add_(v)
    if epoch % 60 == 0:
        print(epoch, loss.item())
acc = ((X[te] @ W + c).argmax(1) == y[te]).double().mean().item()
print(f"metric=accuracy value={acc:.4f}")
