import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))

users, items, k = 150, 90, 5
taste = torch.randn(users, k)
genre = torch.randn(items, k)
R = 3.0 + taste @ genre.T / k ** 0.5 + 0.1 * torch.randn(users, items)
seen = torch.rand(users, items) < 0.6

mu = R[seen].mean()
U = (0.3 * torch.randn(users, k)).requires_grad_()
V = (0.3 * torch.randn(items, k)).requires_grad_()


def predict():
    return mu + U @ V.T


lr, reg = 0.01, 0.05
for it in range(2500):
    err = (predict() - R)[seen]
    cost = 0.5 * (err ** 2).sum() + 0.5 * reg * (U.pow(2).sum() + V.pow(2).sum())
    cost.backward()
    with torch.no_grad():
        U -= lr * U.grad
        V -= lr * V.grad
        U.grad.zero_()
        V.grad.zero_()
    if it % 250 == 0:
        print(f"iter {it:4d}  rmse {err.pow(2).mean().sqrt().item():.4f}")

with torch.no_grad():
    hidden = ~seen
    res = (predict() - R)[hidden]
    r2 = 1 - res.pow(2).mean() / R[hidden].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
