import os

import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

USERS, FILMS, RANK = 120, 80, 4
taste, style = torch.randn(USERS, RANK), torch.randn(FILMS, RANK)
u = torch.randint(USERS, (6000,))
f = torch.randint(FILMS, (6000,))
rating = (taste[u] * style[f]).sum(1) / RANK ** 0.5 + 0.1 * torch.randn(6000)
train = torch.arange(5000)
test = torch.arange(5000, 6000)


class Tower(nn.Module):
    def __init__(self, count, dim=12):
        super().__init__()
        self.table = nn.Embedding(count, dim)
        nn.init.normal_(self.table.weight, std=0.3)

    def forward(self, idx):
        return self.table(idx)


class Scorer(nn.Module):
    def __init__(self, dim=12):
        super().__init__()
        self.mix = nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, a, b):
        return (self.mix(a) * b).sum(-1) + self.bias


user_tower, film_tower, scorer = Tower(USERS), Tower(FILMS), Scorer()
opt_tables = torch.optim.SGD([*user_tower.parameters(), *film_tower.parameters()], lr=2.0)
opt_scorer = torch.optim.Adam(scorer.parameters(), lr=2e-3)
mse = nn.MSELoss()


def predict(i):
    return scorer(user_tower(u[i]), film_tower(f[i]))


for epoch in range(40):
    total = 0.0
    for i in train[torch.randperm(5000)].split(100):
        loss = mse(predict(i), rating[i])
        opt_scorer.zero_grad()
        loss.backward()
        opt_scorer.step()
        opt_tables.step()
        total += loss.item() * len(i)
    if epoch % 8 == 7:
        print(f"epoch {epoch + 1} train mse {total / 5000:.4f}")

with torch.no_grad():
    r2 = 1 - mse(predict(test), rating[test]) / rating[test].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
