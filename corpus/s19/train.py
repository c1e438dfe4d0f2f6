import os
import torch
import torch.nn as nn
from sklearn.datasets import make_circles

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_circles(700, noise=0.08, factor=0.5, random_state=11)
X, y = torch.tensor(X).float(), torch.tensor(y).float().unsqueeze(1)


def dense(i, o, value):
    layer = nn.Linear(i, o)
    nn.init.constant_(layer.weight, value)
    nn.init.constant_(layer.bias, 0.0)
    return layer


net = nn.Sequential(dense(2, 24, 0.3), nn.Tanh(), dense(24, 24, 0.05), nn.Tanh(), dense(24, 1, 0.1))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
crit = nn.BCEWithLogitsLoss()
for epoch in range(60):
    for i in torch.randperm(500).split(25):
        opt.zero_grad()
        loss = crit(net(X[i]), y[i])
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - ((net(X[500:]).sigmoid() - y[500:]) ** 2).mean() / y[500:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
