import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_num_threads(1)
REGIONS = ("whole", "core", "enhancing")
S = 24


def make_scans(n):
    yy, xx = torch.meshgrid(torch.arange(S).float(), torch.arange(S).float(), indexing="ij")
    c = torch.rand(n, 2, 1, 1) * 8 + 8
    r = torch.rand(n, 1, 1) * 2.5 + 6
    dist = ((yy - c[:, 0]) ** 2 + ((xx - c[:, 1]) * (0.8 + 0.4 * torch.rand(n, 1, 1))) ** 2).sqrt()
    masks = torch.stack([(dist < r), (dist < 0.7 * r), (dist < 0.42 * r)], 1).float()
    t1 = masks[:, 0] * 0.6 - masks[:, 1] * 0.9
    t2 = masks[:, 1] * 0.4 + masks[:, 2] * 1.0
    img = torch.stack([t1, t2], 1) + 0.35 * torch.randn(n, 2, S, S)
    return img, masks


class ConvBlock(nn.Sequential):
    def __init__(self, i, o):
        super().__init__(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(4, o), nn.ReLU(inplace=True))


class SmallUNet(nn.Module):
    def __init__(self, out):
        super().__init__()
        self.d1 = ConvBlock(2, 12)
        self.d2 = ConvBlock(12, 24)
        self.u1 = ConvBlock(36, 12)
        self.head = nn.Conv2d(12, out, 1)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        b = F.interpolate(b, scale_factor=2, mode="nearest")
        return torch.sigmoid(self.head(self.u1(torch.cat([a, b], 1))))


def soft_dice(p, t, eps=1.0):
    inter = (p * t).sum((2, 3))
    return 1 - ((2 * inter + eps) / (p.sum((2, 3)) + t.sum((2, 3)) + eps)).mean()


x_tr, m_tr = make_scans(240)
x_te, m_te = make_scans(80)
net = SmallUNet(len(REGIONS))
opt = torch.optim.AdamW(net.parameters(), lr=4e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=12)

for epoch in range(12):
    net.train()
    running = 0.0
    for idx in torch.randperm(len(x_tr)).split(24):
        p = net(x_tr[idx])
        loss = F.binary_cross_entropy(p, m_tr[idx]) + 0.5 * soft_dice(p, m_tr[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        running += loss.item()
    sched.step()
    print(f"epoch {epoch + 1:2d} loss {running / 10:.4f}")

net.eval()
with torch.no_grad():
    pred = (net(x_te) > 0.5).float()
inter = (pred * m_te).sum((0, 2, 3))
dice = 2 * inter / (pred.sum((0, 2, 3)) + m_te.sum((0, 2, 3)) + 1e-6)
print({k: round(v, 3) for k, v in zip(REGIONS, dice.tolist())})
print(f"metric=dice value={dice.mean().item():.4f}")
