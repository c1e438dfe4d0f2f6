import argparse
import os

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=14)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--gamma", type=float, default=0.3)
parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED", "0")))


def synth(n, rng, length=64):
    """Five kinds of signals: sine, square, sawtooth, chirp, pulse train."""
    t = np.linspace(0, 1, length)
    kinds = rng.integers(0, 5, n)
    f = rng.uniform(2, 5, (n, 1))
    ph = rng.uniform(0, 1, (n, 1))
    base = f * t + ph
    waves = np.stack([
        np.sin(2 * np.pi * base),
        np.sign(np.sin(2 * np.pi * base)),
        2 * (base % 1) - 1,
        np.sin(2 * np.pi * f * 2 * t ** 2 + 6 * ph),
        2.0 * ((base % 1) < 0.15) - 0.3,
    ])
    signal = waves[kinds, np.arange(n)] + 0.15 * rng.standard_normal((n, length))
    return torch.tensor(signal, dtype=torch.float32).unsqueeze(1), torch.tensor(kinds)


class SignalNet(nn.Module):
    def __init__(self, n_classes=5):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 16, 7, padding=3)
        self.conv2 = nn.Conv1d(16, 32, 5, padding=2)
        self.pool = nn.MaxPool1d(2)
        self.fc = nn.Linear(32 * 16, n_classes)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc(x.flatten(1))


class Trainer:
    def __init__(self, model, args):
        self.model = model
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=4, gamma=args.gamma)

    def train_epoch(self, loader):
        self.model.train()
        total = 0.0
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            total += loss.item()
        return total / len(loader)

    @torch.no_grad()
    def evaluate(self, loader):
        self.model.eval()
        hits = sum((self.model(x).argmax(1) == y).sum().item() for x, y in loader)
        return hits / len(loader.dataset)


def main():
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    train = DataLoader(TensorDataset(*synth(1600, rng)), batch_size=args.batch_size, shuffle=True)
    test = DataLoader(TensorDataset(*synth(400, rng)), batch_size=200)
    trainer = Trainer(SignalNet(), args)
    for epoch in range(args.epochs):
        loss = trainer.train_epoch(train)
        print(f"epoch {epoch:2d} loss {loss:.4f} val acc {trainer.evaluate(test):.3f}")
    print(f"metric=accuracy value={trainer.evaluate(test):.4f}")


if __name__ == "__main__":
    main()
