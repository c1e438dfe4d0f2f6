import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))


def f(x, y):
    return 0.5 * x ** 2 - 0.5 * y ** 2 + 0.25 * y ** 4


f_min = -0.25
x = (0.3 + 0.5 * torch.rand(1)).requires_grad_()
y = torch.zeros(1).requires_grad_()
start = f(x, y).item()

optimizer = torch.optim.SGD([x, y], lr=0.05, momentum=0.5)
for step in range(600):
    optimizer.zero_grad()
    loss = f(x, y).sum()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"{step:4d} x={x.item():.4f} y={y.item():.4f} f={loss.item():.6f}")

score = 1 - (f(x, y).item() - f_min) / (start - f_min)
print(f"metric=score value={score:.4f}")
