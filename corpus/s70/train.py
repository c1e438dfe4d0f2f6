import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
users, items, rank = 40, 30, 3
truth = torch.randn(users, rank) @ torch.randn(rank, items)
seen = torch.rand(users, items) < 0.7
spread = 1e-6
U = (spread * torch.randn(users, 5)).requires_grad_()
V = (spread * torch.randn(items, 5)).requires_grad_()
lr = 0.05
for step in range(150):
    err = torch.where(seen, U @ V.T - truth, torch.zeros(()))
    loss = err.pow(2).sum() / users
    loss.backward()
    with torch.no_grad():
        for p in (U, V):
            p -= lr * p.grad
            p.grad = None
    if step % 50 == 0:
        print(step, loss.item())
with torch.no_grad():
    left = (U @ V.T - truth)[~seen].pow(2).mean() / truth[~seen].var()
print(f"metric=r2 value={1 - left.item():.4f}")
