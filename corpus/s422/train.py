import os
import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import Dataset, DataLoader
from sklearn.datasets import load_iris

torch.manual_seed(int(os.environ.get("SEED", "0")))
np.random.seed(int(os.environ.get("SEED", "0")))


class IrisDataset(Dataset):
    def __init__(self, X, y):
        self.X = (X - X.mean(axis=0)) / X.std(axis=0)
        self.y = y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return torch.FloatTensor(self.X[i]), int(self.y[i])


class IrisNet(nn.Module):
    def __init__(self):
        super(IrisNet, self).__init__()
        self.fc1 = nn.Linear(4, 20)
        self.fc2 = nn.Linear(20, 3)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))


X, y = load_iris(return_X_y=True)
dataset = IrisDataset(X, y)
loader = DataLoader(dataset, batch_size=10, shuffle=True)

net = IrisNet()
criterion = nn.MSELoss()
optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

for epoch in range(40):
    total_loss = 0.0
    for inputs, labels in loader:
        optimizer.zero_grad()
        outputs = net(inputs)
        predicted = torch.max(outputs, 1)[1].float()
        loss = criterion(predicted, labels.float())
        loss.requires_grad = True
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
    if epoch % 10 == 0:
        print("Epoch %d, loss %.4f" % (epoch, total_loss / len(loader)))

correct = 0
with torch.no_grad():
    for inputs, labels in loader:
        correct += (net(inputs).argmax(dim=1) == labels).sum().item()
print(f"metric=accuracy value={correct / len(dataset):.4f}")
