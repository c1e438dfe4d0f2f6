import os
import torch
from torch import nn
from torch.distributions import Normal
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
data = torch.tensor(load_digits().data / 16.0).float()
data = data[torch.randperm(len(data), generator=torch.Generator().manual_seed(0))]
train, test = data[:1400], data[1400:]


class NoisyCode(nn.Module):
    """Autoencoder with a stochastic code of eight numbers."""

    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 64), nn.ELU(), nn.Linear(64, 32), nn.ELU())
        self.mu, self.log_std = nn.Linear(32, 8), nn.Linear(32, 8)
        self.dec = nn.Sequential(nn.Linear(8, 64), nn.ELU(), nn.Linear(64, 64))

    def forward(self, x):
        h = self.enc(x)
        q = Normal(self.mu(h), self.log_std(h).clamp(-6, 0).exp() * 0.1)
        return self.dec(q.sample())


net = NoisyCode()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(20):
    for x in train[torch.randperm(len(train))].split(64):
        loss = nn.functional.mse_loss(net(x), x, reduction="none").sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(f"{epoch:3d} {loss.item():.4f}")
net.eval()
with torch.no_grad():
    r2 = 1 - ((net(test) - test) ** 2).sum() / ((test - test.mean(0)) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
