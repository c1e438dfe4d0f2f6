import argparse
import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--batch-size", type=int, default=1000)
parser.add_argument("--lr", type=float, default=0.05)
args = parser.parse_args()

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
train_ds, test_ds = TensorDataset(X[:1347], y[:1347]), TensorDataset(X[1347:], y[1347:])


class MLP(nn.Module):
    def __init__(self):
        super(MLP, self).__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def train(model, loader, optimizer):
    model.train()
    for data, target in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
    return loss.item()


@torch.no_grad()
def test(model, loader):
    model.eval()
    correct = sum((model(d).argmax(1) == t).sum().item() for d, t in loader)
    return correct / len(loader.dataset)


model = MLP()
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.5)
train_loader = DataLoader(train_ds, batch_size=args.batch_size, shuffle=True)
test_loader = DataLoader(test_ds, batch_size=450)
for epoch in range(1, args.epochs + 1):
    loss = train(model, train_loader, optimizer)
    print(f"Train Epoch: {epoch} Loss: {loss:.6f}")
print(f"metric=accuracy value={test(model, test_loader):.4f}")
