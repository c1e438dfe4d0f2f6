import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

# Poisson regression: shop visits per hour from five standardised covariates
N, D = 1500, 5
X = torch.randn(N, D)
w_true = torch.tensor([0.5, -0.3, 0.25, 0.0, 0.4])
y = torch.poisson(torch.exp(X @ w_true + 1.0))
X_train, y_train, X_test, y_test = X[:1200], y[:1200], X[1200:], y[1200:]

w = torch.zeros(D, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
rate = lambda X: torch.exp(X @ w + b)
lr = 0.01


def neg_log_lik(X, y):
    eta = X @ w + b
    return (torch.exp(eta) - y * eta).mean()


for it in range(4000):
    loss = neg_log_lik(X_train, y_train)
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= lr * p.grad
    if it % 500 == 0:
        print(f"iteration {it:4d}  nll {loss.item():.4f}  b {b.item():.3f}")

with torch.no_grad():
    log0 = lambda v: torch.where(v > 0, v * torch.log(v.clamp(min=1e-12)), torch.zeros_like(v))
    mu = rate(X_test)
    deviance = 2 * (log0(y_test) - y_test * torch.log(mu) - (y_test - mu)).sum()
    m0 = y_train.mean()
    null = 2 * (log0(y_test) - y_test * torch.log(m0) - (y_test - m0)).sum()
    d2 = 1 - deviance / null
print("w", [round(v, 3) for v in w.tolist()])
print(f"metric=d2 value={d2.item():.4f}")
