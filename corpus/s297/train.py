import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

# height of a bouncing mass on a spring, measured every 0.05 s
dt, steps = 0.05, 60
true_k, true_c = 6.0, 0.5


def simulate(k, c, x0, v0):
    x, v, path = x0, v0, []
    for _ in range(steps):
        a = -k * x - c * v
        v = v + dt * a
        x = x + dt * v
        path.append(x)
    return torch.stack(path, dim=1)


x0 = torch.rand(20) * 2 - 1
v0 = torch.randn(20)
measured = simulate(torch.tensor(true_k), torch.tensor(true_c), x0, v0) + 0.02 * torch.randn(20, steps)

k = torch.tensor(4.0, requires_grad=True)
c = torch.tensor(0.1, requires_grad=True)
optimizer = torch.optim.SGD([k, c], lr=0.5)

for epoch in range(200):
    loss = ((simulate(k, c, x0, v0) - measured) ** 2).mean()
    loss.backward()
    optimizer.step()
    if epoch % 20 == 0:
        print(f"epoch {epoch}: loss {loss.item():.5f}  k {k.item():.3f}  c {c.item():.3f}")

with torch.no_grad():
    r2 = 1 - ((simulate(k, c, x0, v0) - measured) ** 2).mean() / measured.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
