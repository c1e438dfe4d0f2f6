import os
import torch
from torch import nn

seed = int(os.environ.get("SEED", 0))
gen = torch.Generator().manual_seed(100 + seed)
torch.manual_seed(seed)

n_users, n_movies, n_ratings = 250, 150, 14000
taste = torch.randn(n_users, 3, generator=gen)
genre = torch.randn(n_movies, 3, generator=gen)
users = torch.randint(0, n_users, (n_ratings,), generator=gen)
movies = torch.randint(0, n_movies, (n_ratings,), generator=gen)
popularity = 0.3 * torch.randn(n_movies, generator=gen)
ratings = 3.0 + popularity[movies] + 0.6 * (taste[users] * genre[movies]).sum(1) \
    + 0.25 * torch.randn(n_ratings, generator=gen)


class Recommender(nn.Module):
    def __init__(self, users, movies, k=6):
        super().__init__()
        self.user_factors = nn.Embedding(users, k)
        self.movie_factors = nn.Embedding(movies, k)
        self.movie_bias = nn.Embedding(movies, 1)
        self.mean = nn.Parameter(torch.tensor(3.0))
        for table in (self.user_factors, self.movie_factors, self.movie_bias):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, u, m):
        dot = (self.user_factors(u) * self.movie_factors(m)).sum(-1)
        return self.mean + self.movie_bias(m).squeeze(-1) + dot


train, test = slice(0, 11500), slice(11500, None)
model = Recommender(n_users, n_movies)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-6)
mse = nn.MSELoss()
for epoch in range(25):
    perm = torch.randperm(11500)
    for idx in perm.split(256):
        optimizer.zero_grad()
        loss = mse(model(users[train][idx], movies[train][idx]), ratings[train][idx])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        with torch.no_grad():
            print(epoch + 1, "rmse", mse(model(users[train], movies[train]), ratings[train]).sqrt().item())

with torch.no_grad():
    error = ratings[test] - model(users[test], movies[test])
    r2 = 1 - error.pow(2).mean() / ratings[test].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
