import os
import math
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import TensorDataset, DataLoader

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


def make_images(n):
    """3x16x16 colour pictures of five kinds: stripes in three directions, checks, discs."""
    grid = torch.arange(16.0)
    yy, xx = torch.meshgrid(grid, grid, indexing="ij")
    kind = torch.randint(0, 5, (n,))
    out = torch.empty(n, 3, 16, 16)
    for i in range(n):
        phase, period = torch.rand(1) * 2 * math.pi, 3.5 + 2 * torch.rand(1)
        w = 2 * math.pi / period
        k = kind[i].item()
        if k == 0:
            p = torch.sin(w * xx + phase)
        elif k == 1:
            p = torch.sin(w * yy + phase)
        elif k == 2:
            p = torch.sin(w * (xx + yy) / 1.414 + phase)
        elif k == 3:
            p = torch.sign(torch.sin(w * xx + phase) * torch.sin(w * yy + phase))
        else:
            cx, cy = 4 + 8 * torch.rand(2)
            p = torch.sin(w * ((xx - cx) ** 2 + (yy - cy) ** 2).sqrt() + phase)
        colour = torch.rand(3, 1, 1)
        out[i] = 0.5 + 0.5 * (colour - 0.5) * p + 0.1 * torch.randn(3, 16, 16)
    return out, kind


class TinyCifarNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 24, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(16), nn.BatchNorm2d(24)
        self.fc = nn.Linear(24 * 16, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.fc(x.flatten(1))


xtr, ytr = make_images(1200)
xte, yte = make_images(400)
loader = DataLoader(TensorDataset(xtr, ytr), batch_size=32, shuffle=True)
net = TinyCifarNet()
opt = torch.optim.SGD(net.parameters(), lr=2e-3, momentum=0.9, weight_decay=5e-4)
sched = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.8)

for epoch in range(14):
    net.train()
    for xb, yb in loader:
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
        sched.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    acc = (net(xte).argmax(1) == yte).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
