import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Expert(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, x):
        return self.f(x)


class MoE(nn.Module):
    def __init__(self, n=4):
        super().__init__()
        self.gate = nn.Linear(4, n)
        self.experts = nn.ModuleList(Expert() for _ in range(n))

    def forward(self, x):
        p = self.gate(x).softmax(1)
        top, k = p.max(1, keepdim=True)
        out = torch.zeros(len(x), 1)
        for j, e in enumerate(self.experts):
            rows = (k.squeeze(1) == j).nonzero().squeeze(1)
            if len(rows):
                out = out.index_add(0, rows, top[rows] * e(x[rows]))
        return out, p


X = torch.randn(1000, 4)
Y = torch.where(X[:, :1] > 0, 2 * X[:, 1:2], -X[:, 2:3]) + 0.1 * torch.randn(1000, 1)
net = MoE()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(30):
    for i in torch.randperm(750).split(25):
        out, p = net(X[i])
        loss = F.mse_loss(out, Y[i]) + 0.01 * (p.mean(0) * 4).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 6 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - F.mse_loss(net(X[750:])[0], Y[750:]) / Y[750:].var()
print(f"metric=r2 value={r2.item():.4f}")
