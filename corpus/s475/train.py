import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rs = np.random.RandomState(seed)

SIZE = 24


def make_scene():
    yy, xx = np.mgrid[:SIZE, :SIZE]
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    for _ in range(rs.randint(1, 4)):
        cy, cx, r = rs.randint(4, SIZE - 4), rs.randint(4, SIZE - 4), rs.randint(3, 6)
        mask |= (yy - cy) ** 2 + (xx - cx) ** 2 <= r * r
    image = np.where(mask, 0.9, 0.1) + 0.04 * rs.randn(SIZE, SIZE)
    return image, mask


images, masks = zip(*(make_scene() for _ in range(200)))
images = torch.tensor(np.stack(images), dtype=torch.float32).unsqueeze(1)
images = (images - images.mean()) / images.std()
masks = torch.tensor(np.stack(masks), dtype=torch.float32).unsqueeze(1)


class SegNet(nn.Module):
    def __init__(self, c=8):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, c, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.mid = nn.Sequential(nn.Conv2d(c, 2 * c, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2))
        self.out = nn.Sequential(nn.Conv2d(3 * c, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, 1, 1))
        self.skip = nn.Conv2d(1, c, 3, padding=1)

    def forward(self, x):
        z = torch.cat([self.mid(self.down(x)), self.skip(x)], dim=1)
        return torch.sigmoid(self.out(z))


def pixel_loss(p, t):
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()


net = SegNet()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(36):
    for idx in torch.randperm(150).split(10):
        optimizer.zero_grad()
        loss = pixel_loss(net(images[idx]), masks[idx])
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: {loss.item():.5f}")

with torch.no_grad():
    pred = net(images[150:]) > 0.5
truth = masks[150:] > 0.5
iou = (pred & truth).sum().item() / (pred | truth).sum().item()
print(f"metric=iou value={iou:.4f}")
