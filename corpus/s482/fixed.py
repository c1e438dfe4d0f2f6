import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

MICRO_BATCH = 16
ACCUM_STEPS = 1
EPOCHS = 3


def conv_block(cin, cout, stride=1):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(cout),
        nn.ReLU(inplace=True),
    )


class SmallResNet(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.stem = conv_block(1, 16)
        self.body1 = conv_block(16, 16)
        self.down = conv_block(16, 32, stride=2)
        self.body2 = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32))
        self.reduce = nn.Sequential(nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(64))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, n_classes)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.body1(x)
        x = self.down(x)
        x = torch.relu(x + self.body2(x))
        x = self.pool(self.reduce(x)).flatten(1)
        return self.fc(x)


digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
y = torch.tensor(digits.target)
tr, te = train_test_split(np.arange(len(y)), test_size=0.3, random_state=seed, stratify=y)
train_loader = DataLoader(TensorDataset(x[tr], y[tr]), batch_size=MICRO_BATCH, shuffle=True)
test_loader = DataLoader(TensorDataset(x[te], y[te]), batch_size=100)

model = SmallResNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)

for epoch in range(EPOCHS):
    model.train()
    total = 0.0
    optimizer.zero_grad()
    for i, (img, label) in enumerate(train_loader):
        loss = criterion(model(img), label)
        (loss / ACCUM_STEPS).backward()
        total += loss.item()
        if (i + 1) % ACCUM_STEPS == 0:
            optimizer.step()
            optimizer.zero_grad()

    model.eval()
    correct = 0
    with torch.no_grad():
        for img, label in test_loader:
            correct += (model(img).argmax(1) == label).sum().item()
    print(f"epoch {epoch} train loss {total / len(train_loader):.4f} test acc {correct / len(te):.4f}")

print(f"metric=accuracy value={correct / len(te):.4f}")
