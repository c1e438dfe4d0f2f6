import os
import numpy as np
import torch

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)

# thermocouple calibration curve: fit a polynomial by gradient descent
DEGREE = 10
t = np.sort(np.random.rand(240))
volts = np.sin(13.0 * t) + 0.4 * t + 0.05 * np.random.randn(240)
test = np.zeros(240, dtype=bool)
test[::4] = True


def design(t):
    return torch.tensor(np.vander(t, DEGREE + 1, increasing=True), dtype=torch.float64)


A, b = design(t[~test]), torch.tensor(volts[~test])
coef = torch.zeros(DEGREE + 1, dtype=torch.float64, requires_grad=True)
largest = torch.linalg.eigvalsh(2 * A.T @ A / len(A))[-1]
optimizer = torch.optim.SGD([coef], lr=1.0 / largest.item())

for step in range(12000):
    optimizer.zero_grad()
    cost = (A @ coef - b).pow(2).mean()
    cost.backward()
    optimizer.step()
    if step % 2000 == 0:
        print(f"step {step:6d} cost {cost.item():.6f}")

with torch.no_grad():
    fit = design(t[test]) @ coef
    truth = torch.tensor(volts[test])
    r2 = 1 - (fit - truth).pow(2).mean() / truth.var(unbiased=False)
print("coefficients", [round(c, 3) for c in coef.tolist()])
print(f"metric=r2 value={r2.item():.4f}")
