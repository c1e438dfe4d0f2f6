import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", "0")))


class EMAQuantizer(nn.Module):
    def __init__(self, codes, dim, decay=0.95):
        super().__init__()
        self.decay = decay
        self.register_buffer("codebook", torch.randn(codes, dim))
        self.register_buffer("count", torch.ones(codes))
        self.register_buffer("total", self.codebook.clone())

    def forward(self, z):
        flat = z.reshape(-1, z.size(-1))
        code = torch.cdist(flat.detach(), self.codebook).argmin(1)
        q = self.codebook[code].view_as(z)
        if self.training:
            with torch.no_grad():
                hot = F.one_hot(code, len(self.codebook)).float()
                self.count.mul_(self.decay).add_(hot.sum(0), alpha=1 - self.decay)
                self.total.mul_(self.decay).add_(hot.T @ flat, alpha=1 - self.decay)
                self.codebook.copy_(self.total / (self.count + 1e-3).unsqueeze(1))
                unused = self.count < 0.3
                if unused.any():
                    pick = flat[torch.randint(len(flat), (int(unused.sum()),))]
                    self.codebook[unused] = pick
                    self.total[unused] = pick
                    self.count[unused] = 1.0
        commit = F.mse_loss(z, q.detach())
        return z + (q - z).detach(), commit, code


class VQVAE(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.ReLU(),
                                     nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, dim, 1))
        self.quantizer = EMAQuantizer(64, dim)
        self.decoder = nn.Sequential(nn.Conv2d(dim, 32, 3, padding=1), nn.ReLU(),
                                     nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1), nn.ReLU(),
                                     nn.Conv2d(32, 1, 3, padding=1))

    def forward(self, x):
        z = self.encoder(x).permute(0, 2, 3, 1)
        q, commit, code = self.quantizer(z)
        return self.decoder(q.permute(0, 3, 1, 2)), commit, code


images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 16
train_x, test_x = train_test_split(images, test_size=0.2, random_state=0)
model = VQVAE()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

for epoch in range(14):
    model.train()
    for idx in torch.randperm(len(train_x)).split(64):
        x = train_x[idx]
        recon, commit, code = model(x)
        loss = F.mse_loss(recon, x) + 0.25 * commit
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 4 == 0:
        print(f"epoch {epoch} loss {loss.item():.4f} codes used {code.unique().numel()}")

model.eval()
with torch.no_grad():
    recon, _, _ = model(test_x)
    r2 = 1 - F.mse_loss(recon, test_x) / (test_x - train_x.mean(0)).pow(2).mean()
print(f"metric=r2 value={r2.item():.4f}")
