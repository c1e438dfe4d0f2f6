import os
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Trainer:
    """Small batches, large effective batch."""

    def __init__(self, model, lr=0.1, momentum=0.9, accumulate=16):
        self.model = model
        self.accumulate = accumulate
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            self.optimizer.zero_grad()
            total = 0.0
            for step, (x, y) in enumerate(loader, 1):
                loss = self.criterion(self.model(x), y)
                loss.backward()
                total += loss.item()
                if step % self.accumulate == 0 or step == len(loader):
                    self.optimizer.step()
                    self.optimizer.zero_grad()
            print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}")

    @torch.no_grad()
    def score(self, x, y):
        self.model.eval()
        return (self.model(x).argmax(1) == y).float().mean().item()


bunch = load_digits()
x = torch.tensor(bunch.data / 8 - 1, dtype=torch.float32)
y = torch.tensor(bunch.target)
perm = torch.randperm(len(x), generator=torch.Generator().manual_seed(3))
x, y = x[perm], y[perm]
loader = DataLoader(TensorDataset(x[:1280], y[:1280]), batch_size=4, shuffle=True)

net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
trainer = Trainer(net)
trainer.fit(loader, epochs=8)
print(f"metric=accuracy value={trainer.score(x[1280:], y[1280:]):.4f}")
