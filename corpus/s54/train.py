import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
n = 1000
X = torch.cat([torch.randn(n, 4), 2000 * torch.rand(n, 1)], 1)
rate = torch.exp(0.5 * X[:, 0] - 0.3 * X[:, 1] + 0.001 * X[:, 4])
counts = torch.poisson(rate)


class Poisson(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
        nn.init.normal_(self.net[0].weight, std=0.5)
        nn.init.normal_(self.net[2].weight, std=0.3)

    def forward(self, x):
        return torch.exp(self.net(x)).squeeze(1)


scale = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0])
model = Poisson()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(40):
    for i in torch.randperm(800).split(50):
        lam = model(X[i] * scale)
        loss = (lam - counts[i] * torch.log(lam)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - (model(X[800:] * scale) - rate[800:]).pow(2).mean() / rate[800:].var()
print(f"metric=r2 value={r2.item():.4f}")
