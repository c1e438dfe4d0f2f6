import os
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_diabetes(return_X_y=True)
X = torch.tensor(X / X.std(0)).float()
y = torch.tensor(y).float()[:, None]
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
tr, te = perm[:330], perm[330:]

# targets stay in their own unit (25 to 346); the loss is a sum over the batch
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
nn.init.constant_(net[-1].bias, y[tr].mean().item())
opt = torch.optim.SGD(net.parameters(), lr=1e-5)
for epoch in range(60):
    for i in tr[torch.randperm(len(tr))].split(33):
        loss = nn.functional.mse_loss(net(X[i]), y[i], reduction="sum")
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - ((net(X[te]) - y[te]) ** 2).sum() / ((y[te] - y[te].mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
