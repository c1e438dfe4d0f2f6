import os
import torch
import torch.nn as nn
from sklearn.datasets import make_moons
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_moons(1000, noise=0.3, random_state=0)
X, y = torch.tensor(X).float(), torch.tensor(y).float().unsqueeze(1)
loader = DataLoader(TensorDataset(X[:700], y[:700]), batch_size=1, shuffle=True)
net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
crit = nn.BCEWithLogitsLoss()
for epoch in range(5):
    for a, b in loader:
        opt.zero_grad()
        loss = crit(net(a), b)
        loss.backward()
        opt.step()
    with torch.no_grad():
        print(epoch, crit(net(X[:700]), y[:700]).item())
acc = ((net(X[700:]) > 0).float() == y[700:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
