import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

N_USERS, N_ITEMS, TASTES = 150, 100, 4


def make_ratings():
    taste = np.random.randn(N_USERS, TASTES)
    style = np.random.randn(N_ITEMS, TASTES)
    full = 3.0 + taste @ style.T / np.sqrt(TASTES)
    full += 0.1 * np.random.randn(N_USERS, N_ITEMS)
    u, i = np.nonzero(np.random.rand(N_USERS, N_ITEMS) < 0.45)
    order = np.random.permutation(len(u))
    u, i = u[order], i[order]
    return torch.tensor(u), torch.tensor(i), torch.tensor(full[u, i], dtype=torch.float32)


class MF(nn.Module):
    def __init__(self, n_users, n_items, n_factors=8):
        super().__init__()
        self.user = nn.Embedding(n_users, n_factors)
        self.item = nn.Embedding(n_items, n_factors)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        self.mean = nn.Parameter(torch.tensor(3.0))
        for emb in (self.user, self.item):
            nn.init.normal_(emb.weight, std=0.2)
        for emb in (self.user_bias, self.item_bias):
            nn.init.zeros_(emb.weight)

    def forward(self, u, i):
        dot = (self.user(u) * self.item(i)).sum(1)
        return self.mean + dot + self.user_bias(u)[:, 0] + self.item_bias(i)[:, 0]


u, i, r = make_ratings()
cut = int(0.85 * len(r))
train = DataLoader(TensorDataset(u[:cut], i[:cut], r[:cut]), batch_size=128, shuffle=True)

model = MF(N_USERS, N_ITEMS)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-5)
criterion = nn.MSELoss()

for epoch in range(40):
    total = 0.0
    for ub, ib, rb in train:
        optimizer.zero_grad()
        loss = criterion(model(ub, ib), rb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rb)
    if epoch % 5 == 0:
        print(f"epoch {epoch} rmse {(total / cut) ** 0.5:.4f}")

with torch.no_grad():
    err = criterion(model(u[cut:], i[cut:]), r[cut:])
    r2 = 1 - err / r[cut:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
