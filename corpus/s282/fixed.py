import os
import torch
import torch.nn as nn
from sklearn.datasets import make_blobs
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))


class BlobNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(2, 16)
        self.dense2 = nn.Linear(16, 16)
        self.dense3 = nn.Linear(16, 16)
        self.out = nn.Linear(16, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        x = self.act(self.dense1(x))
        x = self.act(self.dense2(x))
        x = self.act(self.dense3(x))
        return self.out(x)


X, y = make_blobs(n_samples=1200, centers=4, cluster_std=1.2, random_state=2)
X = (X - X.mean(0)) / X.std(0)
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
train_loader = DataLoader(TensorDataset(X[:900], y[:900]), batch_size=64, shuffle=True)

net = BlobNet()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(40):
    epoch_loss = 0
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    if epoch % 5 == 0:
        print("epoch", epoch, "loss", round(epoch_loss / len(train_loader), 4))

with torch.no_grad():
    acc = (net(X[900:]).argmax(1) == y[900:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
