import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
X = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(3))
train, test = X[perm[:1400]], X[perm[1400:]]


def stack(sizes):
    layers = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), nn.Sigmoid()]
    return layers


encoder = nn.Sequential(*stack([64, 56, 48, 32, 24, 16]))
decoder = nn.Sequential(*stack([16, 24, 32, 48, 56]), nn.Linear(56, 64))
autoencoder = nn.Sequential(encoder, decoder)
opt = torch.optim.Adam(autoencoder.parameters(), lr=2e-3)
for epoch in range(12):
    total = 0.0
    for idx in torch.randperm(len(train)).split(50):
        x = train[idx]
        loss = ((autoencoder(x) - x) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} mse {total / 28:.4f}")
with torch.no_grad():
    err = ((autoencoder(test) - test) ** 2).sum()
    r2 = 1 - err / ((test - test.mean(0)) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
