import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import CosineAnnealingLR

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
x = torch.tensor(d.images / 16, dtype=torch.float32)[:, None]
y = torch.tensor(d.target)
perm = torch.randperm(len(x), generator=torch.Generator().manual_seed(15))
train, test = perm[:1400], perm[1400:]


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 3)
        self.conv2 = nn.Conv2d(10, 20, 3)
        self.fc = nn.Linear(20 * 4, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


net = SmallNet()
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
sched = CosineAnnealingLR(opt, T_max=20)
for epoch in range(15):
    for idx in train[torch.randperm(len(train))].split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[idx]), y[idx])
        loss.backward()
        opt.step()
        sched.step()
    print(epoch, f"{loss.item():.4f}", f"lr {opt.param_groups[0]['lr']:.4f}")

with torch.no_grad():
    acc = (net(x[test]).argmax(1) == y[test]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
