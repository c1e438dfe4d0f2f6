import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_friedman1

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_friedman1(1200, n_features=8, noise=0.5, random_state=5)
X = torch.tensor((X - 0.5) * 3.46).float()
y = torch.tensor((y - y.mean()) / y.std()).float().unsqueeze(1)


class Block(nn.Module):
    def __init__(self, d, gain):
        super().__init__()
        self.a, self.b = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)
        for m in (self.a, self.b):
            nn.init.xavier_normal_(m.weight, gain=gain)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        return x + self.b(F.silu(self.a(x)))


class ResNet(nn.Module):
    def __init__(self, d=32, blocks=16, gain=0.3):
        super().__init__()
        self.stem = nn.Linear(8, d)
        self.blocks = nn.Sequential(*[Block(d, gain) for _ in range(blocks)])
        self.head = nn.Linear(d, 1)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)))


net = ResNet()
opt = torch.optim.SGD(net.parameters(), lr=5e-3, momentum=0.9)
for epoch in range(25):
    total = 0
    for i in torch.randperm(900).split(64):
        opt.zero_grad()
        loss = F.mse_loss(net(X[i]), y[i])
        loss.backward()
        opt.step()
        total += loss.item()
    if epoch % 5 == 0:
        print("epoch", epoch, total)

with torch.no_grad():
    r2 = 1 - F.mse_loss(net(X[900:]), y[900:]) / y[900:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
