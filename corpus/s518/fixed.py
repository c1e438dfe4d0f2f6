import math
import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))


def rotation(angle, damping):
    c, s = math.cos(angle), math.sin(angle)
    return damping * torch.tensor([[c, -s], [s, c]])


d, T = 6, 25
A_true = torch.block_diag(rotation(0.10, 0.99), rotation(0.20, 0.97), rotation(0.30, 0.98))
Q, _ = torch.linalg.qr(torch.randn(d, d))
A_true = Q @ A_true @ Q.T


def simulate(A, x0, steps):
    states, x = [], x0
    for _ in range(steps):
        x = x @ A.T
        states.append(x)
    return torch.stack(states, dim=1)


x0 = torch.randn(64, d)
y = simulate(A_true, x0, T)
y = y + 0.02 * torch.randn_like(y)
x0_test = torch.randn(32, d)
y_test = simulate(A_true, x0_test, T)

A = torch.nn.Parameter(0.9 * torch.eye(d) + 0.02 * torch.randn(d, d))
optimizer = torch.optim.Adam([A], lr=0.01)
for step in range(2000):
    optimizer.zero_grad()
    loss = (simulate(A, x0, T) - y).square().mean()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step} loss {loss.item():.5g}")

with torch.no_grad():
    err = (simulate(A, x0_test, T) - y_test).square().mean()
    r2 = 1 - err / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
