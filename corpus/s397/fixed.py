import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class DigitNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(),
        )
        self.fc = nn.Linear(32 * 16, num_classes)

    def forward(self, x):
        return self.fc(self.backbone(x))


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-4)

    def fit(self, loader, epochs, name):
        self.model.train()
        for epoch in range(epochs):
            total = 0.0
            for xb, yb in loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(xb), yb)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(xb)
            print(f"[{name}] epoch {epoch + 1}/{epochs} loss {total / len(loader.dataset):.4f}")

    @torch.no_grad()
    def accuracy(self, x, y):
        self.model.eval()
        return (self.model(x).argmax(1) == y).float().mean().item()


digits = load_digits()
images = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)
labels = torch.tensor(digits.target)
order = torch.randperm(len(labels))
images, labels = images[order], labels[order]
source, target = labels < 5, labels >= 5
xs, ys = images[source], labels[source]
xt, yt = images[target], labels[target] - 5

model = DigitNet(num_classes=5)
trainer = Trainer(model, lr=2e-3)
trainer.fit(DataLoader(TensorDataset(xs, ys), batch_size=32, shuffle=True), 5, "0-4")

# transfer to the other five digits
for p in model.backbone.parameters():
    p.requires_grad = False
model.fc = nn.Linear(32 * 16, 5)
trainer.optimizer = torch.optim.AdamW(model.fc.parameters(), lr=2e-3, weight_decay=1e-4)
n = 600
trainer.fit(DataLoader(TensorDataset(xt[:n], yt[:n]), batch_size=32, shuffle=True), 20, "5-9")
print(f"metric=accuracy value={trainer.accuracy(xt[n:], yt[n:]):.4f}")
