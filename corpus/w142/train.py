import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
data = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
data = data[torch.randperm(len(data), generator=torch.Generator().manual_seed(4))]
train, test = data[:1400], data[1400:]


class BetaVAE(nn.Module):
    def __init__(self, z=6):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 96), nn.Softplus(), nn.Linear(96, 2 * z))
        self.dec = nn.Sequential(nn.Linear(z, 96), nn.Softplus(), nn.Linear(96, 64))

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, dim=1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.dec(z), mu, logvar


model = BetaVAE()
opt = torch.optim.Adamax(model.parameters(), lr=5e-3)
step, warm = 0, 350
for epoch in range(30):
    for x in train[torch.randperm(len(train))].split(64):
        beta = min(1.0, step / warm)
        logits, mu, logvar = model(x)
        rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()
        kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum(1).mean()
        loss = rec + beta * kl
        opt.zero_grad()
        loss.backward()
        opt.step()
        step += 1
    if epoch % 5 == 0:
        print(f"{epoch} beta {beta:.2f} rec {rec.item():.2f} kl {kl.item():.2f}")

with torch.no_grad():
    mu = model.enc(test)[:, :6]
    recon = torch.sigmoid(model.dec(mu))
    r2 = 1 - ((recon - test) ** 2).sum() / ((test - test.mean(0)) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
