import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

SIZE, SIGMA = 16, 1.2


class Landmarks(Dataset):
    """Noisy crops with one cross-shaped landmark and a few bright specks."""

    def __init__(self, n):
        self.centers = torch.randint(2, SIZE - 2, (n, 2))
        self.images = 0.3 * torch.randn(n, SIZE, SIZE)
        for img, (r, c) in zip(self.images, self.centers.tolist()):
            img[r - 2:r + 3, c] += 1.0
            img[r, c - 2:c + 3] += 1.0
            specks = torch.randint(0, SIZE, (6, 2))
            img[specks[:, 0], specks[:, 1]] += 1.5
        g = torch.arange(SIZE).float()
        dr = (g[None, :, None] - self.centers[:, 0, None, None]) ** 2
        dc = (g[None, None, :] - self.centers[:, 1, None, None]) ** 2
        self.heatmaps = torch.exp(-(dr + dc) / (2 * SIGMA ** 2))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i].unsqueeze(0), self.heatmaps[i], self.centers[i]


class HeatmapNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        layers, c = [], 1
        for _ in range(3):
            layers += [nn.Conv2d(c, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            c = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        return self.head(self.features(x))


def heatmap_loss(pred, target, fg_weight=2.0):
    weight = 1.0 + fg_weight * target
    return (weight * (pred - target) ** 2).mean()


def main():
    torch.manual_seed(int(os.environ.get("SEED", 0)))
    torch.set_num_threads(1)
    train = DataLoader(Landmarks(640), batch_size=64, shuffle=True)
    test = DataLoader(Landmarks(200), batch_size=100)
    net = HeatmapNet()
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(10):
        net.train()
        losses = []
        for image, heat, _ in train:
            opt.zero_grad()
            loss = heatmap_loss(net(image), heat)
            loss.backward()
            opt.step()
            losses.append(loss.item())
        print(f"epoch {epoch} loss {sum(losses) / len(losses):.4f}")

    net.eval()
    found = 0
    with torch.no_grad():
        for image, _, center in test:
            peak, flat = net(image).flatten(1).max(1)
            guess = torch.stack([flat // SIZE, flat % SIZE], 1)
            hit = (guess - center).abs().amax(1) <= 1
            found += (hit & (peak > 0.3)).sum().item()
    print(f"metric=pck value={found / 200:.4f}")


main()
