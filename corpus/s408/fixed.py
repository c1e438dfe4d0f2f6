import os
import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
np.random.seed(int(os.environ.get("SEED", "0")))


def make_ratings(n_users=120, n_items=80, taste=4, share=0.4):
    p = np.random.randn(n_users, taste)
    q = np.random.randn(n_items, taste)
    full = 3.0 + 0.7 * p @ q.T / np.sqrt(taste) + 0.1 * np.random.randn(n_users, n_items)
    u, i = np.nonzero(np.random.rand(n_users, n_items) < share)
    r = full[u, i]
    perm = np.random.permutation(len(r))
    u, i, r = torch.tensor(u[perm]), torch.tensor(i[perm]), torch.tensor(r[perm], dtype=torch.float32)
    cut = int(0.85 * len(r))
    return (u[:cut], i[:cut], r[:cut]), (u[cut:], i[cut:], r[cut:])


class Recommender(nn.Module):
    def __init__(self, n_users, n_items, k, mean):
        super().__init__()
        self.users = nn.Embedding(n_users, k)
        self.items = nn.Embedding(n_items, k)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        self.mean = mean
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=1 / k)
        for table in (self.user_bias, self.item_bias):
            nn.init.zeros_(table.weight)

    def forward(self, u, i):
        score = (self.users(u) * self.items(i)).sum(1)
        return self.mean + score + self.user_bias(u).squeeze(1) + self.item_bias(i).squeeze(1)


train, test = make_ratings()
model = Recommender(120, 80, 4, train[2].mean().item())
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(60):
    losses = []
    for b in torch.randperm(len(train[2])).split(128):
        u, i, r = (t[b] for t in train)
        loss = (model(u, i) - r).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    if epoch % 10 == 9:
        print("epoch", epoch + 1, "mse", round(float(np.mean(losses)), 4))

with torch.no_grad():
    u, i, r = test
    r2 = 1 - (model(u, i) - r).pow(2).mean() / r.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
