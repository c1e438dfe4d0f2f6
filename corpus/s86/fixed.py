import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X).astype(np.float32)
full = TensorDataset(torch.from_numpy(X), torch.from_numpy(y.astype(np.float32)))
train_set, test_set = random_split(full, [430, 139], generator=torch.Generator().manual_seed(0))
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
test_loader = DataLoader(test_set, batch_size=64)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.fc1 = nn.Linear(30, 64)
        self.bn1 = nn.BatchNorm1d(64)
        self.fc2 = nn.Linear(64, 32)
        self.bn2 = nn.BatchNorm1d(32)
        self.fc3 = nn.Linear(32, 1)

    def forward(self, x):
        x = torch.relu(self.bn1(self.fc1(x)))
        x = torch.relu(self.bn2(self.fc2(x)))
        return self.fc3(x)


model = Net()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)


def run_epoch(loader, training):
    model.train(training)
    correct = total = 0
    for inputs, labels in loader:
        outputs = model(inputs).squeeze(1)
        loss = criterion(outputs, labels)
        if training:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        correct += ((outputs > 0) == labels.bool()).sum().item()
        total += len(labels)
    return correct / total


for epoch in range(15):
    tr = run_epoch(train_loader, True)
    te = run_epoch(test_loader, False)
    print(f"epoch {epoch} train {tr:.3f} test {te:.3f}")
print(f"metric=accuracy value={te:.4f}")
