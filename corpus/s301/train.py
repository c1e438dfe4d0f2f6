import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
np.random.seed(seed)

digits = load_digits()
idx = np.random.RandomState(0).permutation(len(digits.target))
train_idx, test_idx = idx[:1400], idx[1400:]
train_idx = train_idx[np.argsort(digits.target[train_idx], kind="stable")]   # one folder per class

to_tensor = lambda i: (torch.tensor(digits.images[i][:, None] / 16.0, dtype=torch.float32), torch.tensor(digits.target[i]))
train_loader = DataLoader(TensorDataset(*to_tensor(train_idx)), batch_size=20)
x_test, y_test = to_tensor(test_idx)


def conv_bn(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())


model = nn.Sequential(conv_bn(1, 16), conv_bn(16, 16), nn.MaxPool2d(2), conv_bn(16, 32), nn.MaxPool2d(2),
                      nn.Flatten(), nn.Linear(128, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in range(6):
    model.train()
    total, correct = 0.0, 0
    for images, labels in train_loader:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        correct += (outputs.argmax(1) == labels).sum().item()
    print(f"epoch {epoch}: train loss {total / 1400:.4f} train acc {correct / 1400:.3f}")

model.eval()
with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
