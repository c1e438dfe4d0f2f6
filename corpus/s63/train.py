import os
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_friedman1(900, n_features=6, noise=0.4, random_state=2)
X = torch.tensor(X).float() * 2 - 1
price = torch.tensor(y * 15000 + 40000).float().unsqueeze(1)
shift, unit = 0.0, 1.0
target = (price - shift) / unit

net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(25):
    for i in torch.randperm(650).split(50):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(X[i]), target[i])
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(net(X[650:]), target[650:]) / target[650:].var()
print(f"metric=r2 value={r2.item():.4f}")
