import os
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_diabetes(return_X_y=True)
X, y = torch.tensor(X / X.std(0)).float(), torch.tensor((y - y.mean()) / y.std()).float().unsqueeze(1)
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(21))
tr, va, te = perm[:260], perm[260:340], perm[340:]


def train(width, rate, decay):
    net = nn.Sequential(nn.Linear(10, width), nn.SiLU(), nn.Linear(width, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
    for epoch in range(25):
        for i in tr[torch.randperm(len(tr))].split(20):
            loss = nn.functional.huber_loss(net(X[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return nn.functional.mse_loss(net(X[va]), y[va]).item(), net


# a small search, as everybody writes it
best = None
for width in (8, 32):
    for rate in (1e-3, 1e-2):
        for decay in (1e-2, 0.3):
            error, net = train(width, rate, decay)
            print(f"width {width} rate {rate} decay {decay}: validation {error:.3f}")
            if best is None or error < best[0]:
                best = (error, net)
with torch.no_grad():
    p, t = best[1](X[te]), y[te]
r2 = 1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
