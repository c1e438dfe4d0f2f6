import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
perm = torch.randperm(len(x), generator=torch.Generator().manual_seed(5))
train, test = x[perm[:1500]], x[perm[1500:]]


class VAE(nn.Module):
    def __init__(self, latent=8):
        super().__init__()
        self.fc1 = nn.Linear(64, 64)
        self.mu = nn.Linear(64, latent)
        self.logvar = nn.Linear(64, latent)
        self.fc3 = nn.Linear(latent, 64)
        self.fc4 = nn.Linear(64, 64)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.mu(h), self.logvar(h)

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return self.decode(z), mu, logvar


def loss_function(recon, x, mu, logvar):
    bce = F.binary_cross_entropy(recon, x, reduction='sum') / len(x)
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld / len(x)


model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(30):
    train_loss = 0
    for batch in train[torch.randperm(len(train))].split(50):
        optimizer.zero_grad()
        loss = loss_function(*[(r, batch, m, l) for r, m, l in [model(batch)]][0])
        loss.backward()
        optimizer.step()
        train_loss += loss.item() / 30
    if epoch % 5 == 0:
        print(f"====> Epoch: {epoch} Average loss: {train_loss:.4f}")

with torch.no_grad():
    recon = model.decode(model.encode(test)[0])
r2 = 1 - (recon - test).pow(2).sum() / (test - test.mean(0)).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
