import os

import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

N_USERS, N_ITEMS, TASTES = 120, 80, 5


class MatrixFactorization(nn.Module):
    def __init__(self, n_users, n_items, n_factors=10):
        super().__init__()
        self.user_factors = nn.Embedding(n_users, n_factors)
        self.item_factors = nn.Embedding(n_items, n_factors)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        self.init_weights()

    def init_weights(self):
        nn.init.constant_(self.user_factors.weight, 0.1)
        nn.init.constant_(self.item_factors.weight, 0.1)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)

    def forward(self, user, item):
        dot = (self.user_factors(user) * self.item_factors(item)).sum(1)
        return dot + self.user_bias(user).squeeze(1) + self.item_bias(item).squeeze(1)


def load_ratings():
    u = np.random.randn(N_USERS, TASTES)
    v = np.random.randn(N_ITEMS, TASTES)
    full = u @ v.T / np.sqrt(TASTES) + 0.3 * np.random.randn(N_USERS, 1)
    full = full + 0.1 * np.random.randn(N_USERS, N_ITEMS)
    users, items = np.nonzero(np.random.rand(N_USERS, N_ITEMS) < 0.6)
    stars = torch.tensor(full[users, items], dtype=torch.float32)
    order = torch.randperm(len(stars))
    users, items = torch.tensor(users)[order], torch.tensor(items)[order]
    return users, items, stars[order]


users, items, stars = load_ratings()
cut = int(0.85 * len(stars))
model = MatrixFactorization(N_USERS, N_ITEMS)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-4)
mse = nn.MSELoss()

for epoch in range(60):
    losses = []
    for batch in torch.randperm(cut).split(128):
        pred = model(users[batch], items[batch])
        loss = mse(pred, stars[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 12 == 0:
        print(f"epoch {epoch}: train mse {np.mean(losses):.4f}")

with torch.no_grad():
    pred = model(users[cut:], items[cut:])
    r2 = 1 - mse(pred, stars[cut:]) / stars[cut:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
