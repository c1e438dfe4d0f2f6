import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))
g = torch.Generator().manual_seed(51)

# calls an hour at small offices
X = torch.randn(3000, 5, generator=g)
rate = torch.exp(-0.7 + 0.8 * X[:, 0] - 0.5 * X[:, 1] + 0.4 * X[:, 2] * X[:, 3])
calls = torch.poisson(rate, generator=g)


class CountModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1), nn.Softplus())

    def forward(self, x):
        return self.net(x).squeeze(-1)


model = CountModel()
criterion = nn.PoissonNLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loader = DataLoader(TensorDataset(X[:2400], calls[:2400]), batch_size=60, shuffle=True)
for epoch in range(20):
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 4 == 0:
        print(epoch, total / len(loader))

with torch.no_grad():
    expected = model(X[2400:])
truth = rate[2400:]
r2 = 1 - (expected - truth).pow(2).sum() / (truth - truth.mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
