import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
H = W = 24


def scenes(n):
    """noisy frames with one to three small bright defects, and their masks"""
    img = 0.15 * torch.rand(n, 1, H, W)
    mask = torch.zeros(n, 1, H, W)
    for i in range(n):
        for _ in range(int(torch.randint(1, 4, (1,)))):
            r, c = torch.randint(1, H - 4, (2,)).tolist()
            h, w = torch.randint(2, 4, (2,)).tolist()
            mask[i, 0, r:r + h, c:c + w] = 1
    dots = (torch.rand(n, 1, H, W) < 0.02).float() * (1 - mask)
    return (img + 0.6 * mask + 0.6 * dots).clamp(0, 1), mask


class DefectNet(nn.Module):
    def __init__(self, ch=12, prior=0.01):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, ch, 3, padding=1), nn.ReLU(),
            nn.Conv2d(ch, ch, 3, padding=1), nn.ReLU(),
            nn.Conv2d(ch, ch, 3, padding=1), nn.ReLU(),
        )
        self.head = nn.Conv2d(ch, 1, 1)
        b = -math.log((1 - prior) / prior)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, std=0.1)
                nn.init.constant_(m.bias, b)

    def forward(self, x):
        return self.head(self.features(x))


def dice(logits, mask):
    p = (logits > 0).float()
    return (2 * (p * mask).sum() / (p.sum() + mask.sum())).item()


train_img, train_mask = scenes(320)
val_img, val_mask = scenes(100)
net = DefectNet()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
bce = nn.BCEWithLogitsLoss()

for epoch in range(9):
    net.train()
    for k in range(0, 320, 16):
        opt.zero_grad()
        loss = bce(net(train_img[k:k + 16]), train_mask[k:k + 16])
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        score = dice(net(val_img), val_mask)
    print(f"epoch {epoch:2d} loss {loss.item():.4f} val dice {score:.4f}")

print(f"metric=dice value={score:.4f}")
