import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
data = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
data = data[torch.randperm(len(data), generator=torch.Generator().manual_seed(3))]
train, test = data[:1400], data[1400:]


class VAE(nn.Module):
    def __init__(self, latent=8):
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc21 = nn.Linear(128, latent)
        self.fc22 = nn.Linear(128, latent)
        self.fc3 = nn.Linear(latent, 128)
        self.fc4 = nn.Linear(128, 64)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon, x, mu, logvar):
    bce = F.binary_cross_entropy(recon, x, reduction="sum")
    kld = 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return (bce + kld) / len(x)


model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(15):
    train_loss = 0.0
    for idx in torch.randperm(len(train)).split(64):
        optimizer.zero_grad()
        recon, mu, logvar = model(train[idx])
        loss = loss_function(recon, train[idx], mu, logvar)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()
    print(f"====> Epoch: {epoch} Average loss: {train_loss / 22:.4f}")

with torch.no_grad():
    recon = model.decode(model.encode(test)[0])
    r2 = 1 - ((recon - test) ** 2).sum() / ((test - test.mean(0)) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
