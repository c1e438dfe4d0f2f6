import os, random
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", 0))
random.seed(seed); np.random.seed(seed); torch.manual_seed(seed)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc1 = nn.Linear(16 * 2 * 2, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return x


digits = load_digits()
images = torch.from_numpy(digits.images).float().unsqueeze(1) / 16.0
labels = torch.from_numpy(digits.target).long()
order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(7))
train_idx, test_idx = order[:1400], order[1400:]
loader = DataLoader(TensorDataset(images[train_idx], labels[train_idx]), batch_size=32, shuffle=True)

net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(12):
    running = 0.0
    for data, target in loader:
        optimizer.zero_grad()
        output = net(data)
        loss = criterion(output, target)
        loss.backward()
        optimizer.step()
        running += loss.item()
    print("[%d] loss: %.3f" % (epoch + 1, running / len(loader)))

net.eval()
with torch.no_grad():
    pred = net(images[test_idx]).argmax(dim=1)
print(f"metric=accuracy value={(pred == labels[test_idx]).float().mean().item():.4f}")
