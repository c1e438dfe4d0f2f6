import os
import torch
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_diabetes(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor((y - y.mean()) / y.std()).float().reshape(-1, 1)
order = torch.randperm(442)
tr, te = order[:330], order[330:]
w1 = (torch.randn(10, 16) * 0.3).requires_grad_()
b1 = torch.zeros(16, requires_grad=True)
w2 = (torch.randn(16) * 0.25).requires_grad_()
b2 = torch.zeros((), requires_grad=True)
opt = torch.optim.Adam([w1, b1, w2, b2], lr=5e-3)


def f(x):
    return torch.tanh(x @ w1 + b1) @ w2 + b2


for epoch in range(50):
    for i in tr[torch.randperm(330)].split(30):
        error = f(X[i]) - y[i, 0]
        loss = (error.abs() - 0.2).clamp(min=0).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - (f(X[te]) - y[te, 0]).pow(2).mean() / y[te].var()
print(f"metric=r2 value={r2.item():.4f}")
