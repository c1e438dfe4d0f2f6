import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))


def sample(n, size=16):
    yy, xx = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    c = torch.rand(n, 2, 1, 1) * 8 + 4
    r = torch.rand(n, 1, 1) * 2.5 + 2
    mask = ((yy - c[:, 0]) ** 2 + (xx - c[:, 1]) ** 2 < r ** 2).float().unsqueeze(1)
    image = 0.9 * mask + 0.7 * torch.randn(n, 1, size, size)
    return image, mask


class DoubleConv(nn.Sequential):
    def __init__(self, a, b):
        super().__init__(nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.ReLU())


class UNet(nn.Module):
    def __init__(self, ch=8):
        super().__init__()
        self.d1, self.d2, self.mid = DoubleConv(1, ch), DoubleConv(ch, 2 * ch), DoubleConv(2 * ch, 2 * ch)
        self.up2, self.up1 = DoubleConv(4 * ch, ch), DoubleConv(2 * ch, ch)
        self.out = nn.Conv2d(ch, 1, 1)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        m = self.mid(F.max_pool2d(b, 2))
        u = self.up2(torch.cat([F.interpolate(m, scale_factor=2), b], 1))
        u = self.up1(torch.cat([F.interpolate(u, scale_factor=2), a], 1))
        return self.out(u)


images, masks = sample(500)
net = UNet()
optimizer = torch.optim.Adam(net.parameters(), lr=0.08)
loss_fn = nn.BCEWithLogitsLoss()
for epoch in range(8):
    for idx in torch.randperm(400).split(20):
        loss = loss_fn(net(images[idx]), masks[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "bce", round(loss.item(), 4))

with torch.no_grad():
    p = net(images[400:]) > 0
    t = masks[400:] > 0
    dice = 2 * (p & t).sum() / (p.sum() + t.sum())
print(f"metric=accuracy value={dice.item():.4f}")
