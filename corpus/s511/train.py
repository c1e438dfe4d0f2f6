import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", "0")))

images = torch.tensor(load_digits().data, dtype=torch.float32) / 16.0
images = images[torch.randperm(len(images))]
train_x, test_x = images[:1500], images[1500:]
latent = 12


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 96)
        self.mu = nn.Linear(96, latent)
        self.logvar = nn.Linear(96, latent)

    def forward(self, x):
        h = F.silu(self.hidden(x))
        return self.mu(h), self.logvar(h)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(latent, 96), nn.SiLU(), nn.Linear(96, 64))

    def forward(self, z):
        return self.net(z)


encoder, decoder = Encoder(), Decoder()
enc_opt = torch.optim.Adam(encoder.parameters(), lr=2e-3)
dec_opt = torch.optim.Adam(decoder.parameters(), lr=2e-3)

for epoch in range(40):
    recon_sum = kl_sum = 0.0
    for x in train_x[torch.randperm(len(train_x))].split(50):
        mu, logvar = encoder(x)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        recon = F.mse_loss(decoder(z), x, reduction="sum") / len(x)
        kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum(1).mean()
        loss = recon + 0.05 * kl
        enc_opt.zero_grad()
        loss.backward()
        enc_opt.step()
        dec_opt.step()
        recon_sum += recon.item()
        kl_sum += kl.item()
    if epoch % 5 == 0:
        print(f"epoch {epoch} recon {recon_sum / 30:.3f} kl {kl_sum / 30:.3f}")

with torch.no_grad():
    mu, _ = encoder(test_x)
    err = ((decoder(mu) - test_x) ** 2).sum()
    r2 = 1 - err / ((test_x - train_x.mean(0)) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
