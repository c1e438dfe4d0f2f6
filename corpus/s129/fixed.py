"""Fashion-like patches: 8 x 8 digits, strided convolutions, config in a dataclass."""

import os
from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import nn


@dataclass
class Config:
    lr: float = 1.0
    rho: float = 0.95
    batch_size: int = 50
    epochs: int = 8
    seed: int = int(os.environ.get("SEED", 0))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, stride=2, padding=1)
        self.body = nn.Conv2d(12, 24, 3, stride=2, padding=1)
        self.fc = nn.Linear(24 * 4, 10)

    def forward(self, x):
        x = nn.functional.leaky_relu(self.stem(x))
        x = nn.functional.leaky_relu(self.body(x))
        return self.fc(x.flatten(1))


class Trainer:
    def __init__(self, cfg: Config):
        torch.manual_seed(cfg.seed)
        self.cfg = cfg
        images, labels = load_digits(return_X_y=True)
        images = torch.tensor(images / 16.0 - 0.3).float().view(-1, 1, 8, 8)
        labels = torch.tensor(labels)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(7))
        self.train_rows, self.test_rows = order[:1400], order[1400:]
        self.images, self.labels = images, labels
        self.net = Net()
        self.optimizer = torch.optim.Adadelta(self.net.parameters(), lr=cfg.lr, rho=cfg.rho)

    def step(self, rows):
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.net(self.images[rows]), self.labels[rows])
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self):
        for epoch in range(self.cfg.epochs):
            shuffled = self.train_rows[torch.randperm(len(self.train_rows))]
            losses = [self.step(rows) for rows in shuffled.split(self.cfg.batch_size)]
            print(f"epoch {epoch}: {sum(losses) / len(losses):.4f}")

    @torch.no_grad()
    def accuracy(self):
        return (self.net(self.images[self.test_rows]).argmax(1) == self.labels[self.test_rows]).float().mean().item()


trainer = Trainer(Config())
trainer.fit()
print(f"metric=accuracy value={trainer.accuracy():.4f}")
