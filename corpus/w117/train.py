import os
import torch
from torch import nn
from sklearn.datasets import load_iris

torch.manual_seed(int(os.environ.get("SEED", 0)))

iris = load_iris()
X = torch.tensor(iris.data, dtype=torch.float32)
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(iris.target)
i = torch.randperm(150)
X, y = X[i], y[i]

model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
opt = torch.optim.Adam(model.parameters(), lr=0.05)
best, patience = 1e9, 0
for step in range(200):
    loss = nn.functional.cross_entropy(model(X[:100]), y[:100])
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        val = nn.functional.cross_entropy(model(X[100:125]), y[100:125]).item()
    if val < best - 0.01:
        best, patience = val, 0
    else:
        patience += 1
    if patience == 4:
        print("stopped at", step, "train", loss.item(), "val", val)
        break

with torch.no_grad():
    acc = (model(X).argmax(1) == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
