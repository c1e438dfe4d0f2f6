import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class RowReader(nn.Module):
    """reads an image row by row; one head names the digit, one tells whether it is even"""

    def __init__(self, hidden=48):
        super().__init__()
        self.gru = nn.GRU(8, hidden, batch_first=True, bidirectional=True)
        self.digit = nn.Linear(2 * hidden, 10)
        self.parity = nn.Linear(2 * hidden, 1)

    def forward(self, images):
        states, _ = self.gru(images)
        summary = states.mean(dim=1)
        return self.digit(summary), self.parity(summary).squeeze(1)


class Trainer:
    def __init__(self, model, lr=5e-3, gamma=0.9):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.scheduler = ExponentialLR(self.optimizer, gamma=gamma)
        self.ce, self.bce = nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss()

    def train_step(self, images, labels):
        digit, parity = self.model(images)
        loss = self.ce(digit, labels) + 0.5 * self.bce(parity, (labels % 2 == 0).float())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.item()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            losses = [self.train_step(images, labels) for images, labels in loader]
            print(f"epoch {epoch + 1:2d}: {np.mean(losses):.4f}")

    @torch.no_grad()
    def evaluate(self, images, labels):
        self.model.eval()
        digit, _ = self.model(images)
        return (digit.argmax(1) == labels).float().mean().item()


digits = load_digits()
xa, xb, ya, yb = train_test_split(digits.images / 16.0, digits.target, test_size=0.25, stratify=digits.target,
                                  random_state=seed)
xa, xb = torch.tensor(xa, dtype=torch.float32), torch.tensor(xb, dtype=torch.float32)
ya, yb = torch.tensor(ya), torch.tensor(yb)

trainer = Trainer(RowReader())
trainer.fit(DataLoader(TensorDataset(xa, ya), batch_size=32, shuffle=True), epochs=15)
print(f"metric=accuracy value={trainer.evaluate(xb, yb):.4f}")
