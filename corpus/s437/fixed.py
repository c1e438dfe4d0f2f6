import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

batch_size = 64
num_classes = 10
epochs = 8

digits = load_digits()
images = (digits.images.astype("float32") / 16.0)[:, None]
idx = np.random.RandomState(7).permutation(len(images))
train_idx, test_idx = idx[:1400], idx[1400:]
x_train, y_train = torch.from_numpy(images[train_idx]), torch.from_numpy(digits.target[train_idx])
x_test, y_test = torch.from_numpy(images[test_idx]), torch.from_numpy(digits.target[test_idx])
print(x_train.shape[0], "train samples,", x_test.shape[0], "test samples")


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, num_classes)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = F.dropout(x.flatten(1), 0.25, self.training)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


model = ConvNet()
optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.95, eps=1e-7)
train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=batch_size, shuffle=True)

for epoch in range(1, epochs + 1):
    model.train()
    running, seen = 0.0, 0
    for data, target in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
        running += loss.item() * len(data)
        seen += len(data)
    print(f"Epoch {epoch}/{epochs} - loss: {running / seen:.4f}")

model.eval()
with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
