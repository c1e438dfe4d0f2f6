import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(int(os.environ.get("SEED", "0")))
SIZE = 12


def draw(n):
    """Noisy pictures with one bar: horizontal, vertical, falling or rising."""
    pictures = 0.25 * torch.randn(n, 1, SIZE, SIZE)
    kinds = torch.randint(0, 4, (n,))
    for picture, kind in zip(pictures, kinds):
        at = int(torch.randint(2, SIZE - 2, (1,)))
        shift = at - SIZE // 2
        line = torch.eye(SIZE).roll(shift, 1)
        if kind == 0:
            picture[0, at] += 1
        elif kind == 1:
            picture[0, :, at] += 1
        elif kind == 2:
            picture[0] += line
        else:
            picture[0] += line.flip(1)
    return pictures, kinds


class BarNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.classifier = nn.Sequential(nn.Linear(144, 32), nn.Tanh(), nn.Linear(32, 4))
        for p in self.classifier.parameters():
            nn.init.zeros_(p)

    def forward(self, x):
        return self.classifier(self.features(x))


dataset = TensorDataset(*draw(1500))
train, test = random_split(dataset, [1100, 400])
net = BarNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for epoch in range(12):
    running = 0.0
    for images, labels in DataLoader(train, batch_size=25, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
    print("[%d] loss: %.4f" % (epoch + 1, running / 44))

images, labels = next(iter(DataLoader(test, batch_size=400)))
with torch.no_grad():
    correct = (net(images).argmax(1) == labels).sum().item()
print(f"metric=accuracy value={correct / 400:.4f}")
