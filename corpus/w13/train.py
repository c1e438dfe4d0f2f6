import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
xa, xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
xa, xb = torch.tensor(xa).float(), torch.tensor(xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


class VAE(nn.Module):
    def __init__(self, k=8):
        super().__init__()
        self.enc = nn.Linear(64, 96)
        self.mu, self.logvar = nn.Linear(96, k), nn.Linear(96, k)
        self.dec1, self.dec2 = nn.Linear(k, 96), nn.Linear(96, 64)

    def forward(self, x):
        h = F.relu(self.enc(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu) if self.training else mu
        return torch.sigmoid(self.dec2(F.relu(self.dec1(z)))), mu, logvar


vae = VAE()
opt = torch.optim.Adam(vae.parameters(), lr=2e-3)
for epoch in range(25):
    vae.train()
    for i in torch.randperm(len(xa)).split(64):
        out, mu, logvar = vae(xa[i])
        rec = F.binary_cross_entropy(out, xa[i], reduction="sum") / len(i)
        kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum(1).mean()
        loss = rec + 0.5 * kl
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, rec.item(), kl.item())
vae.eval()
with torch.no_grad():
    r2 = 1 - (vae(xb)[0] - xb).pow(2).sum() / (xb - xa.mean(0)).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
