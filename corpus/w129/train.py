import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))


def himmelblau(p):
    x, y = p[:, 0], p[:, 1]
    return (x ** 2 + y - 11) ** 2 + (x + y ** 2 - 7) ** 2


p = (torch.rand(16, 2) * 10 - 5).requires_grad_()
optimizer = torch.optim.Adam([p], lr=0.05)
for step in range(1500):
    f = himmelblau(p)
    loss = f.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 150 == 0:
        print(step, loss.item())

minima = torch.tensor([[3.0, 2.0], [-2.805118, 3.131312], [-3.77931, -3.283186], [3.584428, -1.848126]])
near = torch.cdist(p.detach(), minima).amin(dim=1) < 0.01
print(f"metric=score value={near.float().mean().item():.4f}")
