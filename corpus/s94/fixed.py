import os
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
# ratings: 300 users, 200 films, a hidden taste of four numbers
g = torch.Generator().manual_seed(seed)
taste, film = torch.randn(300, 4, generator=g) * 0.7, torch.randn(200, 4, generator=g) * 0.7
u, f = torch.randint(0, 300, (9000,), generator=g), torch.randint(0, 200, (9000,), generator=g)
rating = (taste[u] * film[f]).sum(1) + 0.1 * torch.randn(9000, generator=g)


class Recommender(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.user, self.film = nn.Embedding(300, dim), nn.Embedding(200, dim)
        self.user_bias, self.film_bias = nn.Embedding(300, 1), nn.Embedding(200, 1)

        for table in (self.user, self.film):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, u, f):
        dot = (self.user(u) * self.film(f)).sum(1)
        return dot + self.user_bias(u).squeeze(1) + self.film_bias(f).squeeze(1)


model = Recommender()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(12):
    for i in torch.randperm(8000).split(100):
        loss = ((model(u[i], f[i]) - rating[i]) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    p, t = model(u[8000:], f[8000:]), rating[8000:]
r2 = 1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
