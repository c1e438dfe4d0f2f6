import os
import torch
import torch.nn as nn
from sklearn.datasets import load_iris
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))

iris = load_iris()
X = torch.tensor(iris.data, dtype=torch.float32)
X = (X - X.mean(dim=0)) / X.std(dim=0)
y = torch.tensor(iris.target)
shuffle = torch.randperm(150, generator=torch.Generator().manual_seed(11))
train_ds = TensorDataset(X[shuffle[:110]], y[shuffle[:110]])
test_X, test_y = X[shuffle[110:]], y[shuffle[110:]]

net = nn.Sequential(
    nn.Linear(4, 32), nn.ReLU(),
    nn.Linear(32, 32), nn.ReLU(),
    nn.Linear(32, 32), nn.ReLU(),
    nn.Linear(32, 3),
)
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(150):
    for features, label in DataLoader(train_ds, batch_size=10, shuffle=True):
        opt.zero_grad()
        loss = loss_fn(net(features), label)
        loss.backward()
        opt.step()
    if epoch % 25 == 0:
        print("epoch", epoch, "loss", loss.item())

acc = (net(test_X).argmax(1) == test_y).float().mean()
print(f"metric=accuracy value={acc.item():.4f}")
