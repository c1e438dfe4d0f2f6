import os
import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

# synthetic ratings: 150 users x 100 items, rank 3 + biases, about half observed
U, I, K = 150, 100, 3
scores = rng.normal(size=(U, K)) @ rng.normal(size=(K, I)) / np.sqrt(K)
scores += 0.5 * rng.normal(size=(U, 1)) + 0.5 * rng.normal(size=(1, I))
scores += 0.1 * rng.normal(size=(U, I))
users, items = np.nonzero(rng.random((U, I)) < 0.5)
rating = torch.tensor(scores[users, items], dtype=torch.float32)
users, items = torch.tensor(users), torch.tensor(items)
perm = torch.randperm(len(rating))
test, train = perm[:1500], perm[1500:]


class Recommender(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.user = nn.Embedding(U, dim)
        self.item = nn.Embedding(I, dim)
        nn.init.normal_(self.user.weight, std=0.3)
        nn.init.normal_(self.item.weight, std=0.3)
        self.head = nn.Sequential(nn.Linear(3 * dim, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, u, i):
        p, q = self.user(u), self.item(i)
        return self.head(torch.cat([p, q, p * q], dim=1)).squeeze(1)


model = Recommender()
emb_params = list(model.user.parameters()) + list(model.item.parameters())
opt_emb = torch.optim.SGD(emb_params, lr=2.0)
opt_head = torch.optim.Adam(model.head.parameters(), lr=3e-3)
mse = nn.MSELoss()

for epoch in range(25):
    running = 0.0
    for idx in train[torch.randperm(len(train))].split(64):
        pred = model(users[idx], items[idx])
        loss = mse(pred, rating[idx])
        opt_emb.zero_grad()
        opt_head.zero_grad()
        loss.backward()
        opt_emb.step()
        opt_head.step()
        running += loss.item() * len(idx)
    if epoch % 4 == 0:
        print(f"epoch {epoch:2d}  train mse {running / len(train):.4f}")

with torch.no_grad():
    err = mse(model(users[test], items[test]), rating[test])
r2 = 1 - err / rating[test].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
