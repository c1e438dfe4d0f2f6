import os
import torch
import torch.nn as nn
from sklearn.datasets import make_classification

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_classification(2400, 12, n_informative=6, n_classes=3, class_sep=1.6, random_state=1)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor(y)
noisy = y.clone()
flip = torch.rand(len(y), generator=torch.Generator().manual_seed(0)) < 0.5
noisy[flip] = torch.randint(0, 3, (int(flip.sum()),), generator=torch.Generator().manual_seed(1))
net = nn.Sequential(nn.Linear(12, 32), nn.ELU(), nn.Linear(32, 3))
opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
for epoch in range(20):
    for i in torch.randperm(1800).split(64):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(X[i]), noisy[i])
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
acc = (net(X[1800:]).argmax(1) == y[1800:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
