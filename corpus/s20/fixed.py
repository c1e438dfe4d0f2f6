import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
users, items, k = 60, 50, 6
U0, V0 = torch.randn(users, k), torch.randn(items, k)
ratings = U0 @ V0.T / k ** 0.5 + 0.1 * torch.randn(users, items)
pairs = torch.cartesian_prod(torch.arange(users), torch.arange(items))
pairs = pairs[torch.randperm(len(pairs), generator=torch.Generator().manual_seed(0))]
train, test = pairs[:2400], pairs[2400:]
target = lambda p: ratings[p[:, 0], p[:, 1]]


class Factors(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.u = nn.Embedding(users, k)
        self.v = nn.Embedding(items, k)
        nn.init.normal_(self.u.weight, std=0.1)
        nn.init.normal_(self.v.weight, std=0.1)

    def forward(self, p):
        return (self.u(p[:, 0]) * self.v(p[:, 1])).sum(1)


model = Factors(k)
opt = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-4)
for epoch in range(60):
    for p in train[torch.randperm(len(train))].split(128):
        opt.zero_grad()
        loss = (model(p) - target(p)).pow(2).mean()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - (model(test) - target(test)).pow(2).mean() / target(test).var()
print(f"metric=r2 value={r2.item():.4f}")
