import os
import math
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))
torch.set_default_dtype(torch.float64)

# tide gauge: two periods, a slow drift, little noise
day = torch.sort(torch.rand(220) * 12).values
height = 0.6 * torch.sin(2 * math.pi * day / 1.7) + 0.25 * torch.sin(2 * math.pi * day / 3.9) + 0.04 * day
height = height + 0.03 * torch.randn(220)
held_out = torch.zeros(220, dtype=torch.bool)
held_out[torch.randperm(220)[:60]] = True
x, y = day[~held_out], height[~held_out]
x_new, y_new = day[held_out], height[held_out]
offset = y.mean()
y = y - offset


def kernel(a, b, theta):
    amp, length = theta[0].exp(), theta[1].exp()
    return amp ** 2 * torch.exp(-0.5 * ((a[:, None] - b[None, :]) / length) ** 2)


def negative_log_evidence(theta):
    K = kernel(x, x, theta) + (theta[2].exp() ** 2 + 1e-8) * torch.eye(len(x))
    L = torch.linalg.cholesky(K)
    alpha = torch.cholesky_solve(y[:, None], L)[:, 0]
    return 0.5 * y @ alpha + L.diagonal().log().sum() + 0.5 * len(x) * math.log(2 * math.pi)


best = None
for start in ([0.0, 0.0, -1.0], [-0.5, 0.5, -2.0], [0.5, -1.0, -0.5]):
    theta = (torch.tensor(start) + 0.1 * torch.randn(3)).requires_grad_()
    opt = torch.optim.LBFGS([theta], lr=1.0, max_iter=10, history_size=10, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = negative_log_evidence(theta)
        loss.backward()
        return loss

    for outer in range(10):
        value = opt.step(closure).item()
        print(f"outer {outer} -log evidence {value:.3f} theta {[round(v, 3) for v in theta.exp().tolist()]}")
    value = negative_log_evidence(theta).item()
    if best is None or value < best[0]:
        best = value, theta.detach().clone()

theta = best[1]
K = kernel(x, x, theta) + theta[2].exp() ** 2 * torch.eye(len(x))
mean = offset + kernel(x_new, x, theta) @ torch.linalg.solve(K, y)
r2 = 1 - (mean - y_new).pow(2).mean() / y_new.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
