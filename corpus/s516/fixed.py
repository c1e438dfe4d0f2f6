import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# regression spline of degree 3 with interior knots, see Elements of Statistical Learning, ch. 5
knots = np.linspace(0, 1, 12)[1:-1]


def design(x):
    cols = [np.ones_like(x), x, x ** 2, x ** 3]
    cols += [np.clip(x - k, 0, None) ** 3 for k in knots]
    return np.stack(cols, axis=1)


def curve(x):
    return np.sin(2 * np.pi * 2.2 * x) * (1 + x) + 0.5 * np.cos(2 * np.pi * 3 * x)


x_train = np.sort(rng.uniform(0, 1, 400))
x_test = np.sort(rng.uniform(0.01, 0.99, 200))
y_train = curve(x_train) + 0.1 * rng.standard_normal(400)
y_test = curve(x_test)

A, B = design(x_train), design(x_test)
Q, T = np.linalg.qr(A)
A, B = Q * np.sqrt(len(Q)), np.linalg.solve(T.T, B.T).T * np.sqrt(len(Q))
A, B = torch.tensor(A).float(), torch.tensor(B).float()
y_train, y_test = torch.tensor(y_train).float(), torch.tensor(y_test).float()

beta = torch.zeros(A.shape[1], requires_grad=True)
opt = torch.optim.SGD([beta], lr=0.3)
for step in range(4000):
    opt.zero_grad()
    loss = ((A @ beta - y_train) ** 2).mean()
    loss.backward()
    opt.step()
    if step % 400 == 0:
        print(f"{step:5d}  mse {loss.item():.5f}")

with torch.no_grad():
    r2 = 1 - ((B @ beta - y_test) ** 2).mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
