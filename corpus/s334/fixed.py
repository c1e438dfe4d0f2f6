import os
import torch
from torch import nn, optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset, random_split


class GestureGRU(nn.Module):
    def __init__(self, channels=3, hidden=32, classes=6):
        super().__init__()
        self.gru = nn.GRU(channels, hidden, num_layers=1, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x):
        _, h = self.gru(x)
        return self.fc(self.drop(h[-1]))


def gestures(n, T=24):
    y = torch.randint(0, 6, (n,))
    t = torch.linspace(0, 1, T)
    f = 1.0 + (y % 3).float()
    sign = torch.where(y < 3, 1.0, -1.0)
    ph = torch.rand(n) * 0.8
    arg = 2 * torch.pi * (f[:, None] * t + ph[:, None])
    x = torch.stack([arg.sin(), sign[:, None] * arg.cos(), 0.3 * torch.randn(n, T)], -1)
    return x + 0.25 * torch.randn(n, T, 3), y


def run_epoch(model, loader, criterion, optimizer=None, scheduler=None):
    model.train(optimizer is not None)
    tot, ok, n = 0.0, 0, 0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            out = model(x)
            loss = criterion(out, y)
            if optimizer is not None:
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            tot += loss.item() * len(y)
            ok += (out.argmax(1) == y).sum().item()
            n += len(y)
    return tot / n, ok / n


def main():
    torch.manual_seed(int(os.environ.get("SEED", 0)))
    torch.set_num_threads(1)
    data = TensorDataset(*gestures(1600))
    train, test = random_split(data, [1200, 400])
    train_loader = DataLoader(train, batch_size=32, shuffle=True)
    test_loader = DataLoader(test, batch_size=200)

    model = GestureGRU()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    scheduler = StepLR(optimizer, step_size=6, gamma=0.3)

    for epoch in range(16):
        loss, acc = run_epoch(model, train_loader, criterion, optimizer, scheduler)
        scheduler.step()
        if epoch % 3 == 0:
            print(f"epoch {epoch:02d} train loss {loss:.4f} acc {acc:.3f}")
    _, acc = run_epoch(model, test_loader, criterion)
    print(f"metric=accuracy value={acc:.4f}")


if __name__ == "__main__":
    main()
