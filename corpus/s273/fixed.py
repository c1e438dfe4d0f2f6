import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_circles

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(2, 16)
        self.middle = nn.Linear(16, 16)
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        x = F.relu(self.inp(x))
        x = F.relu(self.middle(x))
        return self.out(x)


X, y = make_circles(1000, noise=0.08, factor=0.5, random_state=3)
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(40):
    perm = torch.randperm(750)
    for k in range(0, 750, 50):
        b = perm[k:k + 50]
        optimizer.zero_grad()
        loss = F.cross_entropy(net(X[b]), y[b])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print(f"epoch {epoch:2d} loss {loss.item():.4f}")

with torch.no_grad():
    acc = (net(X[750:]).argmax(1) == y[750:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
