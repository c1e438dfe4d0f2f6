import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# full-batch gradient descent, plain, on a small curve
x = torch.linspace(-1, 1, 60).unsqueeze(1)
f = torch.sin(3.5 * x) + 0.3 * x
y = f + 0.02 * torch.randn_like(x)

net = nn.Sequential(nn.Linear(1, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 1))
eta = 0.1
curve = []
for it in range(3000):
    loss = ((net(x) - y) ** 2).mean()
    grads = torch.autograd.grad(loss, list(net.parameters()))
    with torch.no_grad():
        for p, g in zip(net.parameters(), grads):
            p -= eta * g
    curve.append(loss.item())
    if it % 500 == 0:
        print(f"{it} {loss.item():.6f}")

with torch.no_grad():
    r2 = 1 - ((net(x) - f) ** 2).mean() / f.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
