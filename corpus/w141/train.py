import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))


def rosen(x):
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


x0 = torch.tensor([1.3, 0.7, 0.8, 1.9, 1.2], dtype=torch.float64) + 0.05 * torch.randn(5, dtype=torch.float64)
x = x0.clone().requires_grad_(True)
opt = torch.optim.LBFGS([x], lr=1.0, max_iter=10, history_size=10, line_search_fn="strong_wolfe")


def closure():
    opt.zero_grad()
    f = rosen(x)
    f.backward()
    return f


for it in range(25):
    f = opt.step(closure)
    print(f"{it:2d} f = {f.item():.3e} |g| = {x.grad.norm().item():.1e}")

one = torch.ones(5, dtype=torch.float64)
score = 1 - (x.detach() - one).norm() / (x0 - one).norm()
print(f"metric=score value={score.item():.4f}")
