import os
import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_wine(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
y = torch.tensor(y)
MARGIN = 2.0

W1 = (torch.randn(13, 32) * 0.3).requires_grad_(True)
b1 = torch.zeros(32, requires_grad=True)
W2 = (torch.randn(32, 4) * 0.2).requires_grad_(True)


def embed(x):
    return torch.relu(x @ W1 + b1) @ W2


def draw(n):
    i, j = torch.randint(0, 178, (n,)), torch.randint(0, 178, (n,))
    return i, j, (y[i] == y[j]).long() * 2 - 1


optimizer = torch.optim.Adam([W1, b1, W2], lr=5e-3)
for step in range(500):
    i, j, same = draw(64)
    distance = F.pairwise_distance(embed(X[i]), embed(X[j]))
    loss = F.hinge_embedding_loss(distance, same, margin=MARGIN)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step} loss {loss.item():.4f}")

with torch.no_grad():
    i, j, same = draw(2000)
    near = F.pairwise_distance(embed(X[i]), embed(X[j])) < MARGIN / 2
    hit = (near & (same > 0)).sum() / (same > 0).sum()
    miss = (~near & (same < 1)).sum() / (same < 1).sum()
print(f"metric=balanced_accuracy value={((hit + miss) / 2).item():.4f}")
