import os
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_breast_cancer(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor(y).float()
order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
tr, te = order[:400], order[400:]
net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
opt = torch.optim.Rprop(net.parameters(), lr=0.01)
bce = nn.BCELoss()
for epoch in range(120):
    opt.zero_grad()
    loss = bce(net(X[tr]).squeeze(1), y[tr])
    loss.backward()
    opt.step()
    if epoch % 20 == 0:
        print(epoch, loss.item())
acc = ((net(X[te]).squeeze(1) > 0.5).float() == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
