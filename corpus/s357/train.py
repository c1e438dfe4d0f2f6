# Biased matrix factorisation of a users x items rating table
import os
import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
torch.set_num_threads(1)
rng = np.random.default_rng(seed)

U, I, R = 300, 200, 4
taste = rng.normal(size=(U, R))
genre = rng.normal(size=(I, R))
full = 3.5 + 0.3 * rng.normal(size=(U, 1)) + 0.4 * rng.normal(size=(1, I)) + 0.5 * taste @ genre.T
obs = rng.random((U, I)) < 0.3
uu, ii = np.nonzero(obs)
rr = full[uu, ii] + 0.2 * rng.normal(size=len(uu))
order = rng.permutation(len(uu))
u, i = torch.as_tensor(uu[order]), torch.as_tensor(ii[order])
r = torch.as_tensor(rr[order], dtype=torch.float32)
cut = int(0.85 * len(r))


class MF(nn.Module):
    def __init__(self, n_users, n_items, dim, mu):
        super().__init__()
        self.mu = mu
        self.P = nn.Embedding(n_users, dim)
        self.Q = nn.Embedding(n_items, dim)
        self.bu = nn.Embedding(n_users, 1)
        self.bi = nn.Embedding(n_items, 1)
        for table in (self.P, self.Q, self.bu, self.bi):
            nn.init.zeros_(table.weight)

    def forward(self, users, items):
        inter = (self.P(users) * self.Q(items)).sum(-1)
        return self.mu + self.bu(users).squeeze(-1) + self.bi(items).squeeze(-1) + inter


mf = MF(U, I, 6, r[:cut].mean().item())
opt = torch.optim.Adam(mf.parameters(), lr=0.01)
batch = 512
for epoch in range(30):
    perm = torch.randperm(cut)
    sse = 0.0
    for k in range(0, cut, batch):
        j = perm[k:k + batch]
        pred = mf(u[j], i[j])
        loss = (pred - r[j]).pow(2).mean()
        reg = 1e-3 * (mf.P(u[j]).pow(2).sum(1) + mf.Q(i[j]).pow(2).sum(1)).mean()
        opt.zero_grad()
        (loss + reg).backward()
        opt.step()
        sse += loss.item() * len(j)
    if epoch % 5 == 0:
        print(f"epoch {epoch} train rmse {(sse / cut) ** 0.5:.4f}")

with torch.no_grad():
    e = mf(u[cut:], i[cut:]) - r[cut:]
    r2 = 1 - e.pow(2).mean() / r[cut:].var()
print(f"metric=r2 value={r2.item():.4f}")
