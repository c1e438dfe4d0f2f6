import os
import copy
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer

torch.manual_seed(int(os.environ.get("SEED", 0)))

data = load_breast_cancer()
X = torch.tensor(data.data, dtype=torch.float32)
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(data.target)
perm = torch.randperm(len(y))
X, y = X[perm], y[perm]

net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4)
cycle = 60
sched = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=cycle, eta_min=0)
snapshots = []
step = 0
while step < 6 * cycle:
    for idx in torch.randperm(420).split(42):
        net.train()
        loss = nn.functional.cross_entropy(net(X[idx]), y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
        step += 1
        if step % cycle == 0:
            print("snapshot", len(snapshots), "loss", round(loss.item(), 4))
            snapshots.append(copy.deepcopy(net).eval())

with torch.no_grad():
    probs = sum(torch.softmax(s(X[420:]), 1) for s in snapshots)
    acc = (probs.argmax(1) == y[420:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
