import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(int(os.environ.get("SEED", 0)))

batch_size, num_classes, epochs = 64, 5, 8


class Shapes(Dataset):
    """12x12 images: horizontal bar, vertical bar, diagonal, ring, cross."""

    def __init__(self, n):
        self.images, self.labels = 0.15 * torch.randn(n, 1, 12, 12), torch.randint(0, num_classes, (n,))
        for img, label in zip(self.images, self.labels.tolist()):
            r, c = torch.randint(3, 9, (2,)).tolist()
            img = img[0]
            if label in (0, 4):
                img[r, c - 3:c + 3] += 1
            if label in (1, 4):
                img[r - 3:r + 3, c] += 1
            if label == 2:
                for k in range(-3, 3):
                    img[r + k, c + k] += 1
            if label == 3:
                img[r - 2:r + 3, c - 2:c + 3] += 1
                img[r - 1:r + 2, c - 1:c + 2] -= 1

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3)
        self.conv2 = nn.Conv2d(16, 24, kernel_size=3)
        self.fc1 = nn.Linear(24 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, num_classes)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc2(x)


train_loader = DataLoader(Shapes(2000), batch_size=batch_size, shuffle=True)
test_loader = DataLoader(Shapes(600), batch_size=200)
model = ConvNet()
optimizer = torch.optim.Adadelta(model.parameters(), lr=0.001, rho=0.95)

for epoch in range(epochs):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    print(f"Epoch {epoch + 1}/{epochs} - loss: {loss.item():.4f}")

hits = 0
with torch.no_grad():
    for x, y in test_loader:
        hits += (model(x).argmax(1) == y).sum().item()
print(f"metric=accuracy value={hits / len(test_loader.dataset):.4f}")
