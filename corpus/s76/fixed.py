import os
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_friedman1(700, n_features=8, noise=1.0, random_state=1)
X = torch.tensor(X * 3.46 - 1.73).float()
y = torch.tensor((y - y.mean()) / y.std()).float()
net = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(200):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(X[:500]).squeeze(1), y[:500])
    loss.backward()
    opt.step()
    if epoch % 20 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(net(X[500:]).squeeze(1), y[500:]) / y[500:].var()
print(f"metric=r2 value={r2.item():.4f}")
