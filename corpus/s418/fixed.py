import math
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class Detector(nn.Module):
    """One objectness logit for each quarter of the picture."""

    def __init__(self, prior=0.01):
        super().__init__()
        self.c1 = nn.Conv2d(1, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.c3 = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.cls = nn.Conv2d(16, 1, 2, stride=2)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
                nn.init.zeros_(m.bias)
        nn.init.constant_(self.cls.bias, -math.log((1 - prior) / prior))

    def forward(self, x):
        x = F.relu(self.c1(x))
        x = F.relu(self.c2(x))
        x = F.relu(self.c3(x))
        return self.cls(x).flatten(1)


def make_scenes(images, n):
    canvas = np.random.rand(n, 1, 16, 16) * 0.2
    labels = np.zeros((n, 4))
    for i in range(n):
        for q in range(4):
            if np.random.rand() < 0.3:
                r, c = 8 * (q // 2), 8 * (q % 2)
                canvas[i, 0, r:r + 8, c:c + 8] += 0.5 * images[np.random.randint(len(images))]
                labels[i, q] = 1
            elif np.random.rand() < 0.5:
                r, c = 8 * (q // 2), 8 * (q % 2)
                canvas[i, 0, r:r + 8, c:c + 8] += 0.3 * np.random.rand(8, 8)
    return torch.tensor(canvas).float(), torch.tensor(labels).float()


digit_images = load_digits().images / 16
x_train, y_train = make_scenes(digit_images[:1400], 1200)
x_test, y_test = make_scenes(digit_images[1400:], 400)

net = Detector()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(12):
    for idx in torch.randperm(len(x_train)).split(32):
        loss = F.binary_cross_entropy_with_logits(net(x_train[idx]), y_train[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")

with torch.no_grad():
    hit = (net(x_test) > 0) == (y_test > 0.5)
found = hit[y_test > 0.5].float().mean()
quiet = hit[y_test < 0.5].float().mean()
print(f"metric=balanced_accuracy value={((found + quiet) / 2).item():.4f}")
