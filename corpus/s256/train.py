import os
import random
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", 0))
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)


class CrossLayer(nn.Module):
    """x_{l+1} = x_0 * (W x_l + b) + x_l"""

    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dim, dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x0, x):
        return x0 * (x @ self.weight.t() + self.bias) + x


class DeepCross(nn.Module):
    def __init__(self, dim, n_cross=5):
        super().__init__()
        self.cross = nn.ModuleList(CrossLayer(dim) for _ in range(n_cross))
        self.deep = nn.Sequential(nn.Linear(dim, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.head = nn.Linear(dim + 16, 1)

    def forward(self, x):
        c = x
        for layer in self.cross:
            c = layer(x, c)
        return self.head(torch.cat([c, self.deep(x)], 1)).squeeze(1)


n, d = 2400, 12
X = np.random.randn(n, d).astype("float32")
logit = 1.5 * X[:, 0] * X[:, 1] + X[:, 2] - 1.2 * X[:, 3] * X[:, 4] + 0.7 * X[:, 5]
y = (logit + 0.4 * np.random.randn(n) > 0).astype("float32")
train = TensorDataset(torch.tensor(X[:2000]), torch.tensor(y[:2000]))
loader = DataLoader(train, batch_size=100, shuffle=True)
model = DeepCross(d)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
bce = nn.BCEWithLogitsLoss()
for epoch in range(25):
    running = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = bce(model(xb), yb)
        loss.backward()
        optimizer.step()
        running += loss.item()
    if epoch % 5 == 0:
        print(f"epoch {epoch}: {running / len(loader):.4f}")

with torch.no_grad():
    acc = ((model(torch.tensor(X[2000:])) > 0).float() == torch.tensor(y[2000:])).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
