import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(5)

n_users, n_items = 150, 80
taste = rng.normal(size=(n_users, 3))
genre = rng.normal(size=(n_items, 3))
full = 3.4 + 0.6 * taste @ genre.T + 0.3 * rng.normal(size=(n_items,))
users, items = np.nonzero(rng.random((n_users, n_items)) < 0.5)
ratings = np.clip(np.round(2 * full[users, items]) / 2, 0.5, 5.0)
perm = rng.permutation(len(ratings))
users, items = torch.tensor(users[perm]), torch.tensor(items[perm])
ratings = torch.tensor(ratings[perm], dtype=torch.float32)
cut = int(0.85 * len(ratings))


class TwoTower(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.user = nn.Sequential(nn.Embedding(n_users, 16), nn.Linear(16, dim))
        self.item = nn.Sequential(nn.Embedding(n_items, 16), nn.Linear(16, dim))

    def forward(self, u, i):
        return 2.75 + 2.5 * F.cosine_similarity(self.user(u), self.item(i), dim=1)


model = TwoTower()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-5)
mse = nn.MSELoss()

for epoch in range(25):
    for idx in torch.randperm(cut).split(128):
        loss = mse(model(users[idx], items[idx]), ratings[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print(f"epoch {epoch} train mse {loss.item():.4f}")

with torch.no_grad():
    truth = ratings[cut:]
    r2 = 1 - mse(model(users[cut:], items[cut:]), truth) / truth.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
