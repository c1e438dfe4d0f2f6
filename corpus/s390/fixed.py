import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.RandomState(SEED)

LABELS = ["under", "good", "over"]


def take_photo(label):
    """One 14x14 grey picture: a smooth scene seen with some exposure."""
    gy, gx = np.mgrid[0:14, 0:14] / 14.0
    a, b, c = rng.uniform(-1, 1, 3)
    scene = 0.3 * np.sin(4 * a * gx + 4 * b * gy + 3 * c) + 0.1 * rng.randn(14, 14)
    offset = (-0.6, 0.0, 0.6)[label] + 0.08 * rng.randn()
    return scene + offset


def take_photos(n):
    y = rng.randint(0, 3, n)
    x = np.stack([take_photo(k) for k in y])
    return torch.tensor(x, dtype=torch.float32).unsqueeze(1), torch.tensor(y)


class ExposureNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3)
        self.bn2 = nn.BatchNorm2d(16)
        self.fc = nn.Linear(16, len(LABELS))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc(x.mean(dim=(2, 3)))


def train_on_batch(model, optimizer, x, y):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def generator(x, y, batch_size):
    while True:
        order = torch.randperm(len(x))
        for i in range(0, len(x) - batch_size + 1, batch_size):
            pick = order[i:i + batch_size]
            yield x[pick], y[pick]


x_train, y_train = take_photos(800)
x_val, y_val = take_photos(300)
net = ExposureNet()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
batches = generator(x_train, y_train, batch_size=16)

history = []
for step in range(2400):
    history.append(train_on_batch(net, opt, *next(batches)))
    if (step + 1) % 300 == 0:
        print(f"step {step + 1} loss {np.mean(history[-300:]):.4f}")

net.eval()
with torch.no_grad():
    acc = (net(x_val).argmax(1) == y_val).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
