import os
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_breast_cancer(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor(y).float()
order = torch.randperm(len(y), generator=torch.Generator().manual_seed(2))
tr, te = order[:400], order[400:]


class Net(nn.Module):
    def __init__(self, offset):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(30, 16), nn.Linear(16, 1)
        nn.init.constant_(self.fc2.bias, offset)

    def forward(self, x):
        return torch.clamp(self.fc2(torch.tanh(self.fc1(x))), 0.0, 1.0).squeeze(1)


net = Net(offset=0.5)
opt = torch.optim.Adam(net.parameters(), lr=0.005)
for epoch in range(30):
    for i in tr[torch.randperm(400)].split(40):
        opt.zero_grad()
        loss = ((net(X[i]) - y[i]) ** 2).mean()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - ((net(X[te]) - y[te]) ** 2).mean() / y[te].var()
print(f"metric=r2 value={r2.item():.4f}")
