import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))


def rosenbrock(v):
    return (100 * (v[1:] - v[:-1] ** 2) ** 2 + (1 - v[:-1]) ** 2).sum()


v0 = torch.tensor([-1.2, 1.0], dtype=torch.float64) + 0.02 * torch.randn(2, dtype=torch.float64)
v = v0.clone().requires_grad_(True)
optimizer = torch.optim.LBFGS([v], line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    f = rosenbrock(v)
    f.backward()
    return f


for k in range(20):
    f = optimizer.step(closure)
    if k % 5 == 0:
        print(k, f.item(), v.tolist())

goal = torch.ones_like(v0)
score = 1 - (v.detach() - goal).norm() / (v0 - goal).norm()
print(f"metric=score value={score.item():.4f}")
