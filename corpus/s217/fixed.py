import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def cells(n, size=16):
    grid = torch.arange(size).float()
    cy, cx = torch.rand(2, n, 1, 1) * 10 + 3
    a, b = torch.rand(2, n, 1, 1) * 2.5 + 1.5
    inside = ((grid[:, None] - cy) / a) ** 2 + ((grid[None, :] - cx) / b) ** 2 < 1
    img = inside.float() + 0.6 * torch.randn(n, size, size)
    return img.unsqueeze(1), inside.float()


def conv(a, b, d=1):
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=d, dilation=d), nn.BatchNorm2d(b), nn.ReLU())


def dice_loss(logits, target, eps=1.0):
    p = torch.sigmoid(logits)
    inter = (p * target).sum(dim=(-2, -1))
    union = p.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1))
    return (1 - (2 * inter + eps) / (union + eps)).mean()


model = nn.Sequential(conv(1, 12), conv(12, 12, 2), conv(12, 12, 4), conv(12, 12), nn.Conv2d(12, 1, 1))
opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
x, y = cells(500)
for epoch in range(10):
    model.train()
    for i in torch.randperm(400).split(16):
        loss = dice_loss(model(x[i]), y[i].unsqueeze(1))
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} dice loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    p = (model(x[400:]) > 0).squeeze(1)
    t = y[400:] > 0
    iou = (p & t).sum() / (p | t).sum()
print(f"metric=accuracy value={iou.item():.4f}")
