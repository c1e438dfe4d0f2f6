import os

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", "0")))


def block(c_in, c_out, stride=1):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
    )


class PlainNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            block(1, 12), block(12, 12), block(12, 12), block(12, 24, 2), block(24, 24),
            block(24, 24), block(24, 24), block(24, 32, 2), block(32, 32), block(32, 32),
        )
        self.classifier = nn.Linear(32, 10)

    def forward(self, x):
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def loaders():
    X, y = load_digits(return_X_y=True)
    X = torch.tensor(X, dtype=torch.float32).view(-1, 1, 8, 8) / 8.0 - 1.0
    Xa, Xb, ya, yb = train_test_split(X, torch.tensor(y), test_size=0.25, random_state=3)
    return (DataLoader(TensorDataset(Xa, ya), batch_size=64, shuffle=True, drop_last=True),
            DataLoader(TensorDataset(Xb, yb), batch_size=256))


def validate(model, loader, criterion):
    model.eval()
    loss, right, n = 0.0, 0, 0
    with torch.no_grad():
        for xb, yb in loader:
            out = model(xb)
            loss += criterion(out, yb).item() * len(yb)
            right += (out.argmax(1) == yb).sum().item()
            n += len(yb)
    return loss / n, right / n


def fit(model, train_loader, val_loader, epochs=6):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    print("before training: loss %.4f acc %.4f" % validate(model, val_loader, criterion))
    for epoch in range(1, epochs + 1):
        for xb, yb in train_loader:
            loss = criterion(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        val_loss, val_acc = validate(model, val_loader, criterion)
        print(f"epoch {epoch}: val loss {val_loss:.4f} val acc {val_acc:.4f}")
    return val_acc


acc = fit(PlainNet(), *loaders())
print(f"metric=accuracy value={acc:.4f}")
