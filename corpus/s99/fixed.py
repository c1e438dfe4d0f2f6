import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X, y = torch.tensor(d.data / 16).float(), torch.tensor(d.target)
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(8))
tr, te = perm[:1300], perm[1300:]

net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
cycle = torch.optim.lr_scheduler.CyclicLR(opt, base_lr=0.001, max_lr=0.06, step_size_up=40, cycle_momentum=False)
for epoch in range(20):
    for i in tr[torch.randperm(1300)].split(50):
        loss = nn.functional.cross_entropy(net(X[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        cycle.step()
    print(f"{epoch:2d} loss {loss.item():.3f} lr {cycle.get_last_lr()[0]:.3f}")
acc = (net(X[te]).argmax(1) == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
