import os
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))
data = load_diabetes(scaled=False)
X = torch.tensor(data.data).float()
y = torch.tensor(data.target).float().unsqueeze(1)
perm = torch.randperm(442)
tr, te = perm[:330], perm[330:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(10)
        self.fc1, self.fc2 = nn.Linear(10, 32), nn.Linear(32, 1)
        self.register_buffer("mean", y[tr].mean())
        self.register_buffer("std", y[tr].std())

    def forward(self, x):
        return self.fc2(nn.functional.leaky_relu(self.fc1(self.norm(x)), 0.1)) * self.std + self.mean


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=3e-3, weight_decay=1e-3)
for epoch in range(30):
    net.train()
    for i in tr[torch.randperm(330)].split(30):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(X[i]), y[i])
        loss.backward()
        opt.step()
    if epoch % 6 == 0:
        print(epoch, loss.item())
net.eval()
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(net(X[te]), y[te]) / y[te].var()
print(f"metric=r2 value={r2.item():.4f}")
