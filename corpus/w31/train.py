import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
users, items = 80, 60
p, q = torch.randn(users, 3), torch.randn(items, 3)
score = (p @ q.T) / 3 ** 0.5 + 0.5 * torch.randn(users, items)
seen = torch.cartesian_prod(torch.arange(users), torch.arange(items))[torch.randperm(users * items)[:2600]]
tr, te = seen[:2000], seen[2000:]


class MF(nn.Module):
    def __init__(self, k=5):
        super().__init__()
        self.u, self.i = nn.Embedding(users + 20, k, sparse=True), nn.Embedding(items + 15, k, sparse=True)
        for e in (self.u, self.i):
            nn.init.normal_(e.weight, std=0.3)

    def forward(self, ix):
        return (self.u(ix[:, 0]) * self.i(ix[:, 1])).sum(1)


net = MF()
opt = torch.optim.SparseAdam(list(net.parameters()), lr=0.01)
for epoch in range(25):
    for b in tr[torch.randperm(2000)].split(50):
        e = net(b) - score[b[:, 0], b[:, 1]]
        loss = e.pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    t = score[te[:, 0], te[:, 1]]
    r2 = 1 - (net(te) - t).pow(2).mean() / t.var()
print(f"metric=r2 value={r2.item():.4f}")
