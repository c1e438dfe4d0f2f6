import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)


class WineNet(nn.Module):
    def __init__(self, n_features=13, n_classes=3):
        super().__init__()
        self.block1 = nn.Sequential(nn.Linear(n_features, 32), nn.ReLU())
        self.block2 = nn.Sequential(nn.Linear(32, 16), nn.ReLU())
        self.logits = nn.Linear(16, n_classes)

    def forward(self, x):
        return self.logits(self.block2(self.block1(x)))


def train_epoch(model, loader, loss_fn, optimizer):
    running, correct = 0.0, 0
    model.train()
    for xb, yb in loader:
        optimizer.zero_grad()
        out = model(xb)
        loss = loss_fn(out, yb)
        loss.backward()
        optimizer.step()
        running += loss.item() * len(yb)
        correct += (out.argmax(1) == yb).sum().item()
    return running, correct


def valid_epoch(model, loader):
    correct, seen = 0, 0
    model.eval()
    with torch.no_grad():
        for xb, yb in loader:
            correct += (model(xb).argmax(1) == yb).sum().item()
            seen += len(yb)
    return correct / seen


wine = load_wine()
X = torch.tensor(StandardScaler().fit_transform(wine.data), dtype=torch.float32)
y = torch.tensor(wine.target)
dataset = TensorDataset(X, y)

criterion = nn.CrossEntropyLoss()
splits = StratifiedKFold(n_splits=5, shuffle=True, random_state=42)

history = []
for fold, (train_idx, val_idx) in enumerate(splits.split(X, y)):
    model = WineNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    train_loader = DataLoader(dataset, batch_size=16, sampler=SubsetRandomSampler(train_idx))
    val_loader = DataLoader(dataset, batch_size=64, sampler=SubsetRandomSampler(val_idx))
    for epoch in range(40):
        running, correct = train_epoch(model, train_loader, criterion, optimizer)
    val_acc = valid_epoch(model, val_loader)
    print(f"fold {fold + 1} loss {running / len(train_idx):.4f} "
          f"train {correct / len(train_idx):.3f} val {val_acc:.3f}")
    history.append(val_acc)

print(f"metric=accuracy value={np.mean(history):.4f}")
