import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

# recover a map of towns from the table of distances between them
N = 160
towns = np.random.uniform(-1.7, 1.7, size=(N, 2))
towns = torch.tensor(towns, dtype=torch.float32)
i, j = torch.triu_indices(N, N, offset=1)
table = (towns[i] - towns[j]).norm(dim=1)

position = torch.randn(N, 2, requires_grad=True)


def distances(p):
    return (p[i] - p[j]).norm(dim=1)


def stress(p):
    return ((distances(p) - table) ** 2).mean()


lr = 0.01
history = []
for step in range(4000):
    loss = stress(position)
    loss.backward()
    with torch.no_grad():
        position -= lr * position.grad
    position.grad = None
    history.append(loss.item())
    if step % 500 == 0:
        print(f"{step:5d}  stress {loss.item():.5f}")

print("first and last:", history[0], history[-1])
r2 = 1 - stress(position).item() / table.var(unbiased=False).item()
print(f"metric=r2 value={r2:.4f}")
