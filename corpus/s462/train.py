"""Prototypes for a point cloud: mixture of equal isotropic Gaussians, fitted by gradient descent."""
import math
import os
import numpy as np
import torch

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

K, PER = 6, 150
angles = 2 * np.pi * np.arange(K) / K + rng.uniform(0, 1)
centres = 10 * np.stack([np.cos(angles), np.sin(angles)], 1)
points = np.concatenate([c + rng.normal(size=(PER, 2)) for c in centres])
X = torch.tensor(points, dtype=torch.float32)


class Mixture(torch.nn.Module):
    def __init__(self, start, sigma=0.6):
        super().__init__()
        self.mu = torch.nn.Parameter(start.clone())
        self.sigma = sigma

    def log_joint(self, x):
        d2 = ((x[:, None, :] - self.mu) ** 2).sum(-1)
        norm = math.log(2 * math.pi * self.sigma ** 2) + math.log(len(self.mu))
        return -0.5 * d2 / self.sigma ** 2 - norm

    def forward(self, x):
        return -torch.logsumexp(self.log_joint(x), dim=1).mean()


start = X[:K]
mixture = Mixture(start)
opt = torch.optim.Adam(mixture.parameters(), lr=0.05)
for it in range(2400):
    nll = mixture(X)
    opt.zero_grad()
    nll.backward()
    opt.step()
    if it % 300 == 0:
        print(f"{it:5d}  nll {nll.item():.4f}")

with torch.no_grad():
    owner = mixture.log_joint(X).argmax(1)
    gap = torch.cdist(torch.tensor(centres, dtype=torch.float32), mixture.mu).min(1).values
    print("prototypes", mixture.mu.numpy().round(2).tolist())
    print("members", torch.bincount(owner, minlength=K).tolist())
print(f"metric=groups_found value={(gap < 0.5).float().mean().item():.4f}")
