"""Handwriting, rows as they come out of the archive (one writer's digit after the other)."""

import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16).float(), torch.tensor(y)
test = torch.arange(len(y)) % 4 == 0
x_test, y_test = x[test], y[test]
x, y = x[~test], y[~test]
archive = y.argsort(stable=True)
loader = DataLoader(TensorDataset(x[archive], y[archive]), batch_size=32, shuffle=True)

net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(8):
    mean = 0.0
    for xb, yb in loader:
        opt.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        opt.step()
        mean += loss.item() / len(loader)
    print(f"epoch {epoch} loss {mean:.4f}")
with torch.no_grad():
    print(f"metric=accuracy value={(net(x_test).argmax(1) == y_test).float().mean().item():.4f}")
