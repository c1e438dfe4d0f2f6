import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

# catalogue of 400 users and 300 items; only part of it has been rated so far
n_users, n_items, true_rank = 400, 300, 3
active_users, active_items = 240, 180
bu = 0.5 * torch.randn(active_users)
bi = 0.5 * torch.randn(active_items)
inter = torch.randn(active_users, true_rank) @ torch.randn(true_rank, active_items) / true_rank ** 0.5
table = 3.5 + bu[:, None] + bi[None, :] + 0.8 * inter
user = torch.randint(0, active_users, (14000,))
item = torch.randint(0, active_items, (14000,))
rating = table[user, item] + 0.25 * torch.randn(14000)
train, test = slice(0, 12000), slice(12000, None)


class BiasedMF(nn.Module):
    def __init__(self, rank, mean):
        super().__init__()
        self.P = nn.Embedding(n_users, rank)
        self.Q = nn.Embedding(n_items, rank)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        self.register_buffer("mean", mean)
        nn.init.normal_(self.P.weight, std=0.3)
        nn.init.normal_(self.Q.weight, std=0.3)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)

    def forward(self, u, i):
        p, q = self.P(u), self.Q(i)
        pred = self.mean + self.user_bias(u).squeeze(1) + self.item_bias(i).squeeze(1) + (p * q).sum(1)
        return pred, p.pow(2).sum(1) + q.pow(2).sum(1)


model = BiasedMF(4, rating[train].mean())
left = torch.optim.Adam([model.P.weight, model.user_bias.weight], lr=0.02)
right = torch.optim.Adam([model.Q.weight, model.item_bias.weight], lr=0.02)
schedulers = [torch.optim.lr_scheduler.ExponentialLR(o, 0.9) for o in (left, right)]

for epoch in range(30):
    for rows in torch.randperm(12000).split(256):
        turn = left if epoch % 2 == 0 else right
        model.zero_grad()
        pred, norm = model(user[rows], item[rows])
        mse = (pred - rating[rows]).pow(2).mean()
        (mse + 0.01 * norm.mean()).backward()
        turn.step()
    if epoch % 2 == 1:
        for s in schedulers:
            s.step()
    print(f"epoch {epoch:2d}  last batch mse {mse.item():.4f}")

model.eval()
with torch.no_grad():
    pred, _ = model(user[test], item[test])
    r2 = 1 - (pred - rating[test]).pow(2).mean() / rating[test].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
