import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
n = 1000
X = torch.randn(n, 10)
cls = (X[:, 0] * X[:, 1] > 0).long()
val = (X[:, 2] + 0.5 * X[:, 3] ** 2).unsqueeze(1)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.a, self.b = nn.Linear(32, 2), nn.Linear(32, 1)
        self.log_sigma = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        h = self.trunk(x)
        return self.a(h), self.b(h)


net = TwoHeads()
opt = torch.optim.Adam(net.parameters(), lr=4e-3)
for epoch in range(30):
    for i in torch.randperm(750).split(50):
        a, b = net(X[i])
        terms = torch.stack([nn.functional.cross_entropy(a, cls[i]), nn.functional.mse_loss(b, val[i])])
        loss = (terms * torch.exp(-net.log_sigma) + 0.5 * net.log_sigma).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 6 == 0:
        print(epoch, terms.tolist())
with torch.no_grad():
    a, b = net(X[750:])
    acc = (a.argmax(1) == cls[750:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
