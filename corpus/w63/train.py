import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X, y = torch.tensor(d.data / 16).float(), torch.tensor(d.target)
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(12))
tr, te = perm[:1200], perm[1200:]

model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
base = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
rho = 0.05
params = list(model.parameters())
for epoch in range(10):
    for i in tr[torch.randperm(len(tr))].split(32):
        # climb to the worst point nearby, take the gradient there, step from the old place
        nn.functional.cross_entropy(model(X[i]), y[i]).backward()
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in params]).norm() + 1e-12
            moves = [rho * p.grad / norm for p in params]
            for p, m in zip(params, moves):
                p.add_(m)
        base.zero_grad()
        loss = nn.functional.cross_entropy(model(X[i]), y[i])
        loss.backward()
        with torch.no_grad():
            for p, m in zip(params, moves):
                p.sub_(m)
        base.step()
        base.zero_grad()
    print(epoch, loss.item())
acc = (model(X[te]).argmax(1) == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
