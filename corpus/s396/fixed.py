import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)


class Callback:
    def on_batch_end(self, batch, logs):
        pass

    def on_epoch_end(self, epoch, logs):
        pass


class StepDecay(Callback):
    def __init__(self, optimizer, drop=0.5, every=6):
        self.scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=every, gamma=drop)

    def on_epoch_end(self, epoch, logs):
        self.scheduler.step()


class History(Callback):
    def __init__(self):
        self.losses = []

    def on_epoch_end(self, epoch, logs):
        self.losses.append(logs["loss"])
        print(f"Epoch {epoch + 1}: loss {logs['loss']:.4f} acc {logs['acc']:.4f}")


class RowGRU(nn.Module):
    """Reads a digit row by row, 8 steps of 8 pixels."""

    def __init__(self, units=64):
        super().__init__()
        self.gru = nn.GRU(8, units, batch_first=True)
        self.dense = nn.Linear(units, 10)

    def forward(self, x):
        _, h = self.gru(x)
        return self.dense(h[-1])


def fit(model, loader, optimizer, epochs, callbacks):
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        total, hits, n = 0.0, 0, 0
        for batch, (x, y) in enumerate(loader):
            out = model(x)
            loss = criterion(out, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, n = total + loss.item() * len(y), n + len(y)
            hits += (out.argmax(1) == y).sum().item()
            for cb in callbacks:
                cb.on_batch_end(batch, {"loss": loss.item()})
        for cb in callbacks:
            cb.on_epoch_end(epoch, {"loss": total / n, "acc": hits / n})


digits = load_digits()
data = TensorDataset(torch.tensor(digits.images / 16.0, dtype=torch.float32), torch.tensor(digits.target))
train_set, test_set = random_split(data, [1400, 397])
model = RowGRU()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
fit(model, DataLoader(train_set, batch_size=64, shuffle=True), optimizer, epochs=25,
    callbacks=[StepDecay(optimizer), History()])

with torch.no_grad():
    x, y = next(iter(DataLoader(test_set, batch_size=397)))
    acc = (model(x).argmax(1) == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
