import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

hparams = dict(seed=int(os.environ.get("SEED", "0")), classes=4, width=64, batch_size=50, lr=0.1, momentum=0.9, epochs=30)
torch.manual_seed(hparams["seed"])
np.random.seed(hparams["seed"])


def spiral(per_class, classes):
    xs, ys = [], []
    for c in range(classes):
        r = np.linspace(0.05, 1, per_class)
        a = 2 * np.pi * c / classes + 4 * r + np.random.randn(per_class) * 0.12
        xs.append(np.c_[r * np.sin(a), r * np.cos(a)])
        ys.append(np.full(per_class, c))
    x = 1.7 * np.concatenate(xs)
    return TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(np.concatenate(ys)))


class SpiralClassifier(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.inp = nn.Linear(2, width)
        self.mid = nn.Linear(width, width)
        self.out = nn.Linear(width, classes)
        self.act = nn.GELU()

    def forward(self, x):
        return self.out(self.act(self.mid(self.act(self.inp(x)))))


def run(hp):
    data = spiral(400, hp["classes"])
    train_set, val_set = random_split(data, [1200, 400])
    train_loader = DataLoader(train_set, hp["batch_size"], shuffle=True)
    val_loader = DataLoader(val_set, 400)
    net = SpiralClassifier(hp["width"], hp["classes"])
    criterion = nn.CrossEntropyLoss()
    sgd = torch.optim.SGD(net.parameters(), lr=hp["lr"], momentum=hp["momentum"])
    for epoch in range(hp["epochs"]):
        seen, total = 0, 0.0
        for xb, yb in train_loader:
            loss = criterion(net(xb), yb)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            total += loss.item() * len(yb)
            seen += len(yb)
        if epoch % 5 == 0:
            print(f"[{epoch:02d}] loss per sample {total / seen:.4f}")
    xb, yb = next(iter(val_loader))
    with torch.no_grad():
        return (net(xb).argmax(1) == yb).float().mean().item()


print(f"metric=accuracy value={run(hparams):.4f}")
