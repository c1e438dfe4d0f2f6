import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
np.random.seed(seed)
torch.manual_seed(seed)

# claims per policy and year
n = 3000
age, power, region, bonus = np.random.rand(n), np.random.rand(n), np.random.randint(0, 4, n), np.random.rand(n)
rate = np.exp(-1.6 + 1.5 * (age - 0.5) ** 2 * 4 + 1.2 * power + np.array([0.0, 0.4, -0.3, 0.8])[region] - 1.5 * bonus)
claims = np.random.poisson(rate)
X = torch.tensor(np.column_stack([age, power, bonus, np.eye(4)[region]]) - 0.25, dtype=torch.float32)
y = torch.tensor(claims, dtype=torch.float32)
lam = torch.tensor(rate, dtype=torch.float32)


class RateNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(7, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1), nn.Softplus())

    def forward(self, x):
        return self.layers(x).squeeze(-1)


net = RateNet()
criterion = nn.PoissonNLLLoss(log_input=False)
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(20):
    for b in torch.randperm(2400).split(100):
        loss = criterion(net(X[b]), y[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 4 == 0:
        print("epoch", epoch, "deviance", loss.item())

with torch.no_grad():
    p = net(X[2400:])
    r2 = 1 - ((p - lam[2400:]) ** 2).mean() / lam[2400:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
