import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))


def beale(x, y):
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y ** 2) ** 2 + (2.625 - x + x * y ** 3) ** 2


minimum = torch.tensor([3.0, 0.5])
start = torch.tensor([3.0, 2.0]) + 0.05 * torch.randn(2)
p = start.clone().requires_grad_(True)
optimizer = torch.optim.Adam([p], lr=3e-2)

for it in range(1500):
    optimizer.zero_grad()
    f = beale(p[0], p[1])
    f.backward()
    optimizer.step()
    if it % 500 == 0:
        print(it, f.item(), p.detach().tolist())

score = 1 - (p.detach() - minimum).norm() / (start - minimum).norm()
print(f"metric=score value={score.item():.4f}")
