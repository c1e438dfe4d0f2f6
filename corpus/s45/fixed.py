import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
x, y = torch.tensor(d.images).float()[:, None] / 16, torch.tensor(d.target)
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(5))
tr, te = perm[:1300], perm[1300:]
net = nn.Sequential(nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.GroupNorm(3, 12), nn.ReLU(), nn.Conv2d(12, 24, 3, stride=2, padding=1),
                    nn.GroupNorm(3, 24), nn.ReLU(), nn.Flatten(), nn.Linear(96, 10))
opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
warmup_steps = 50
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1.0, (s + 1) / warmup_steps))
for epoch in range(10):
    for i in tr[torch.randperm(1300)].split(50):
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    print(epoch, loss.item())
acc = (net(x[te]).argmax(1) == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
