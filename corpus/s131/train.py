import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Pictures(Dataset):
    """Grey pictures of digits, stored as bytes."""

    def __init__(self, split):
        bunch = load_digits()
        pixels = np.round(bunch.images * (255 / 16)).astype(np.uint8)
        part = slice(0, 1300) if split == "train" else slice(1300, None)
        self.pixels, self.target = pixels[part], bunch.target[part]

    def __len__(self):
        return len(self.target)

    def __getitem__(self, k):
        picture = torch.from_numpy(self.pixels[k]).unsqueeze(0).float()
        return picture, int(self.target[k])


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 3)
        self.conv2 = nn.Conv2d(10, 20, 3)
        self.fc1 = nn.Linear(20 * 4 * 4, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)


train_loader = DataLoader(Pictures("train"), batch_size=50, shuffle=True)
test_loader = DataLoader(Pictures("test"), batch_size=100)
model = CNN()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(6):
    for data, target in train_loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
    print("Train Epoch: {} Loss: {:.6f}".format(epoch, loss.item()))
correct = 0
model.eval()
with torch.no_grad():
    for data, target in test_loader:
        correct += (model(data).argmax(1) == target).sum().item()
print(f"metric=accuracy value={correct / len(test_loader.dataset):.4f}")
