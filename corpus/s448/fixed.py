import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(int(os.environ.get("SEED", "0")))


def dense_block(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.Sigmoid())


def get_data():
    X, y = load_digits(return_X_y=True)
    ds = TensorDataset(torch.tensor(X / 16.0, dtype=torch.float32), torch.tensor(y))
    train, val = random_split(ds, [1400, 397], generator=torch.Generator().manual_seed(5))
    return DataLoader(train, batch_size=50, shuffle=True), DataLoader(val, batch_size=397)


def evaluate(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for xb, yb in loader:
            correct += (model(xb).argmax(dim=1) == yb).sum().item()
            total += len(yb)
    return correct / total


def fit(model, train_loader, val_loader, epochs, lr):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    print(f"before training: val_acc {evaluate(model, val_loader):.4f}")
    for epoch in range(epochs):
        model.train()
        train_loss = 0.0
        for xb, yb in train_loader:
            loss = criterion(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_loss += loss.item() / len(train_loader)
        print(f"epoch {epoch + 1}: loss {train_loss:.4f} val_acc {evaluate(model, val_loader):.4f}")


if __name__ == "__main__":
    train_loader, val_loader = get_data()
    widths = [64] + [48] * 7
    blocks = [dense_block(a, b) for a, b in zip(widths, widths[1:])]
    model = nn.Sequential(*blocks, nn.Linear(48, 10))
    fit(model, train_loader, val_loader, epochs=12, lr=0.05)
    print(f"metric=accuracy value={evaluate(model, val_loader):.4f}")
