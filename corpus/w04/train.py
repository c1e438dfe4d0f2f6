import os
import torch
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_diabetes(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0))
y = torch.tensor((y - y.mean()) / y.std())
perm = torch.randperm(442)
tr, te = perm[:330], perm[330:]
theta = torch.zeros(11, dtype=torch.float64, requires_grad=True)
opt = torch.optim.LBFGS([theta], max_iter=20, line_search_fn="strong_wolfe")


def objective(idx, ridge=0.0):
    return ((X[idx] @ theta[:10] + theta[10] - y[idx]) ** 2).mean() + ridge * theta[:10].square().sum()


def closure():
    opt.zero_grad()
    loss = objective(tr, 1e-2)
    loss.backward()
    return loss


for it in range(6):
    print(it, opt.step(closure).item())
with torch.no_grad():
    r2 = 1 - objective(te) / y[te].var()
print(f"metric=r2 value={r2.item():.4f}")
