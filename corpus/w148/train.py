import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
torch.set_num_threads(1)

X = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
X = X[torch.randperm(len(X))]
train, test = X[:1400], X[1400:]
LATENT = 16


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 128), nn.ELU())
        self.mu = nn.Linear(128, LATENT)
        self.logvar = nn.Linear(128, LATENT)
        self.dec = nn.Sequential(nn.Linear(LATENT, 128), nn.ELU(), nn.Linear(128, 64))

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.dec(z), mu, logvar


model = VAE()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
EPOCHS = 50
for epoch in range(EPOCHS):
    model.train()
    beta = 0.5 * min(1.0, (epoch % 25) / 12)
    for xb in train[torch.randperm(len(train))].split(64):
        logits, mu, logvar = model(xb)
        rec = F.binary_cross_entropy_with_logits(logits, xb, reduction="none").sum(1)
        kl = 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar).sum(1)
        loss = (rec + beta * kl).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} beta {beta:.2f} rec {rec.mean().item():.2f} kl {kl.mean().item():.2f}")

model.eval()
with torch.no_grad():
    rec = torch.sigmoid(model(test)[0])
r2 = 1 - ((rec - test) ** 2).sum() / ((test - train.mean(0)) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
