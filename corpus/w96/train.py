import os
import torch
import torch.nn as nn
from sklearn.datasets import make_moons
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_moons(1200, noise=0.15, random_state=8)
X, y = torch.tensor(X).float(), torch.tensor(y).float()
train = DataLoader(TensorDataset(X[:900], y[:900]), batch_size=30, shuffle=True)


class Old(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 20)
        self.b = nn.Linear(20, 20)
        self.c = nn.Linear(20, 1)

    def forward(self, x):
        x = torch.tanh(self.a(x))
        x = torch.tanh(self.b(x))
        return torch.sigmoid(self.c(x)).squeeze(1)


net = Old()
optimizer = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9, nesterov=True)
for epoch in range(30):
    for xb, yb in train:
        loss = nn.functional.mse_loss(net(xb), yb)
        net.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 6 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    acc = ((net(X[900:]) > 0.5).float() == y[900:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
