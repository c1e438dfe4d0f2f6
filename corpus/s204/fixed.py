import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", 0))
rng = np.random.default_rng(seed)

# robust regression: absolute error, written like the lecture notes
X = rng.normal(size=(200, 5))
theta_true = np.array([1.0, -0.5, 0.3, 0.0, 0.8])
y = X @ theta_true + 0.4 + 0.1 * rng.standard_t(2, size=200)
X = torch.tensor(np.c_[np.ones(200), X])
y = torch.tensor(y)

theta = torch.zeros(6, dtype=torch.float64, requires_grad=True)
velocity = torch.zeros_like(theta)
alpha, mu = 0.01, 0.9
history = []
for k in range(600):
    J = (X @ theta - y).abs().mean()
    (g,) = torch.autograd.grad(J, theta)
    with torch.no_grad():
        velocity = mu * velocity - alpha * g
        theta += velocity
    history.append(J.item())
    if k % 100 == 0:
        print("iter", k, "J", round(J.item(), 4))

with torch.no_grad():
    clean = X @ torch.tensor(np.r_[0.4, theta_true])
    r2 = 1 - ((X @ theta - clean) ** 2).mean() / clean.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
