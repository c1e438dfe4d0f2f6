import os
import torch
import torch.nn as nn
from sklearn.datasets import load_iris

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_iris(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor(y)
perm = torch.randperm(150, generator=torch.Generator().manual_seed(0))
tr, te = perm[:100], perm[100:]
net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))


def distances(z):
    d2 = (z[:, None] - z[None]).pow(2).sum(-1)
    return (d2 + 1e-8).sqrt()


opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for step in range(300):
    i = tr[torch.randperm(100)[:40]]
    d = distances(net(X[i]))
    same = (y[i][:, None] == y[i][None]).float()
    loss = (same * d ** 2 + (1 - same) * (2.0 - d).clamp(min=0) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 60 == 0:
        print(step, loss.item())
with torch.no_grad():
    za, zb = net(X[tr]), net(X[te])
    nearest = torch.cdist(zb, za).nan_to_num(1e9).argmin(1)
    acc = (y[tr][nearest] == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
