import os
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import KFold

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_wine(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor(y)
hits = 0
for fold, (a, b) in enumerate(KFold(4, shuffle=True, random_state=0).split(X)):
    a, b = torch.tensor(a), torch.tensor(b)
    net = nn.Sequential(nn.Linear(13, 24), nn.Hardswish(), nn.Linear(24, 3))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(25):
        for i in a[torch.randperm(len(a))].split(20):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(X[i]), y[i])
            loss.backward()
            opt.step()
    print("fold", fold, loss.item())
    hits += (net(X[b]).argmax(1) == y[b]).sum().item()
print(f"metric=accuracy value={hits / len(y):.4f}")
