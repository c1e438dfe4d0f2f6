import os
import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_diabetes(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor((y - y.mean()) / 8.0).float().unsqueeze(1)
order = torch.randperm(442)
tr, te = order[:330], order[330:]


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(10, 32)
        self.fc2 = torch.nn.Linear(32, 1)

    def forward(self, x):
        return torch.tanh(self.fc2(F.leaky_relu(self.fc1(x))))


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(60):
    for i in tr[torch.randperm(330)].split(33):
        opt.zero_grad()
        loss = F.mse_loss(net(X[i]), y[i])
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - F.mse_loss(net(X[te]), y[te]) / y[te].var()
print(f"metric=r2 value={r2.item():.4f}")
