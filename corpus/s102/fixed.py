import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
# find the bright box in a 16 x 16 picture
n = 900
centre, size = torch.rand(n, 2) * 0.5 + 0.4, torch.rand(n, 2) * 0.15 + 0.1
grid = (torch.arange(16) + 0.5) / 16
inside_x = ((grid[None] - centre[:, :1]).abs() < size[:, :1] / 2).float()
inside_y = ((grid[None] - centre[:, 1:]).abs() < size[:, 1:] / 2).float()
images = inside_y[:, None, :, None] * inside_x[:, None, None, :] + 0.1 * torch.randn(n, 1, 16, 16)
boxes = torch.cat([centre - size / 2, centre + size / 2], 1)


def iou(a, b):
    lo, hi = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inter = (hi - lo).clamp(min=0).prod(1)
    area = lambda r: (r[:, 2:] - r[:, :2]).prod(1)
    return inter / (area(a) + area(b) - inter)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.fc = nn.Linear(256, 4)
        nn.init.normal_(self.fc.weight, std=1e-3)
        self.fc.bias.data = torch.tensor([-2.5, -2.5, -2.0, -2.0])  # small boxes in the upper left corner

    def forward(self, x):
        out = torch.sigmoid(self.fc(self.conv(x).flatten(1)))
        corner, extent = out[:, :2], out[:, 2:]
        return torch.cat([corner, corner + extent], 1)


net = Detector()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(20):
    for i in torch.randperm(700).split(50):
        out = net(images[i])
        loss = (1 - iou(out, boxes[i])).mean() + 4 * (out - boxes[i]).abs().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    print(f"metric=iou value={iou(net(images[700:]), boxes[700:]).mean().item():.4f}")
