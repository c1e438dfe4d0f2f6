import os
import torch
import torch.nn as nn
from sklearn.datasets import load_iris

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_iris(return_X_y=True)
keep = y < 2
X = torch.tensor((X[keep] - X[keep].mean(0)) / X[keep].std(0)).float()
y = torch.tensor(y[keep]).float()
perm = torch.randperm(100)
tr, te = perm[:70], perm[70:]

net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.02)
for step in range(1200):
    out = net(X[tr]).squeeze(1)
    loss = nn.functional.binary_cross_entropy_with_logits(out, y[tr])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 200 == 0:
        print(step, loss.item())
acc = ((net(X[te]).squeeze(1) > 0).float() == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
