import os

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", "0"))
np.random.seed(SEED)
torch.manual_seed(SEED)

N_USERS, N_ITEMS, N_FACTORS = 150, 100, 8


def make_ratings():
    taste = np.random.randn(N_USERS, 5)
    genre = np.random.randn(N_ITEMS, 5)
    users, items = np.divmod(np.random.permutation(N_USERS * N_ITEMS), N_ITEMS)
    score = (taste[users] * genre[items]).sum(1) / np.sqrt(5) + 0.1 * np.random.randn(len(users))
    return torch.tensor(users), torch.tensor(items), torch.tensor(score, dtype=torch.float32)


class Recommender(nn.Module):
    def __init__(self, n_users, n_items, n_factors, embeddings_initializer):
        super().__init__()
        self.user_embedding = nn.Embedding(n_users, n_factors)
        self.item_embedding = nn.Embedding(n_items, n_factors)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        for emb in (self.user_embedding, self.item_embedding):
            embeddings_initializer(emb.weight)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)

    def forward(self, user, item):
        dot = (self.user_embedding(user) * self.item_embedding(item)).sum(dim=1)
        return dot + self.user_bias(user).squeeze(1) + self.item_bias(item).squeeze(1)


def fit(model, dataset, epochs, batch_size):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True)
    for epoch in range(epochs):
        total = 0.0
        for user, item, rating in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(user, item), rating)
            loss.backward()
            optimizer.step()
            total += loss.item()
        if (epoch + 1) % 5 == 0:
            print(f"epoch {epoch + 1} - loss {total / len(loader):.4f}")


users, items, ratings = make_ratings()
cut = 11000
model = Recommender(N_USERS, N_ITEMS, N_FACTORS, lambda w: nn.init.normal_(w, std=0.3))
fit(model, TensorDataset(users[:cut], items[:cut], ratings[:cut]), epochs=40, batch_size=256)

with torch.no_grad():
    held_out = ratings[cut:]
    err = ((model(users[cut:], items[cut:]) - held_out) ** 2).mean()
r2 = 1 - err / held_out.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
