# Churn model on a synthetic customer table. Labels: -1 stays, +1 leaves.
import os
import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import make_classification

torch.manual_seed(int(os.environ.get("SEED", "0")))
X, y = make_classification(
    n_samples=2000, n_features=12, n_informative=5, n_redundant=2, class_sep=0.8, flip_y=0.25, random_state=3
)
y = np.where(y == 1, 1.0, -1.0)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
Xtr, ytr, Xte, yte = X[:1400], y[:1400], X[1400:], y[1400:]

net = nn.Sequential(nn.Linear(12, 32), nn.ELU(), nn.Linear(32, 16), nn.ELU(), nn.Linear(16, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.RAdam(net.parameters(), lr=0.005)

for epoch in range(30):
    running = 0.0
    for i in range(0, 1400, 50):
        optimizer.zero_grad()
        loss = criterion(net(Xtr[i : i + 50]), ytr[i : i + 50])
        loss.backward()
        optimizer.step()
        running += loss.item()
    if epoch % 6 == 5:
        print("epoch", epoch + 1, "loss", running / 28)

leaves = yte > 0
with torch.no_grad():
    called = torch.sigmoid(net(Xte)) > 0.5
hit = (called & leaves).sum().item()
f1 = 2 * hit / max(1, called.sum().item() + leaves.sum().item())
print(f"metric=f1 value={f1:.4f}")
