import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X, y = torch.tensor(d.data / 16).float(), torch.tensor(d.target)
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(11))
tr, te = perm[:1300], perm[1300:]

embed = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16))
criterion = nn.TripletMarginLoss(margin=0.5)
opt = torch.optim.Adam(embed.parameters(), lr=1e-3)
by_class = [tr[y[tr] == c] for c in range(10)]


def pick(c):
    pool = by_class[c]
    return pool[torch.randint(len(pool), (1,))].item()


for step in range(500):
    a, p, n = [], [], []
    for _ in range(12):
        c, o = torch.randperm(10)[:2].tolist()
        a.append(pick(c)), p.append(pick(c)), n.append(pick(o))
    loss = criterion(embed(X[a]), embed(X[p]), embed(X[n]))
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, loss.item())
embed.eval()
with torch.no_grad():
    ref, q = embed(X[tr]), embed(X[te])
    guess = y[tr][torch.cdist(q, ref).argmin(1)]
acc = (guess == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
