import os

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset, random_split


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 3), nn.ReLU(),
        )
        self.classifier = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def train_epoch(model, loader, criterion, optimizer, scheduler):
    model.train()
    seen, loss_sum = 0, 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        loss_sum += loss.item() * len(labels)
        seen += len(labels)
    return loss_sum / seen


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in loader)
    return right / len(loader.dataset)


def main():
    torch.manual_seed(int(os.environ.get("SEED", "0")))
    digits = load_digits()
    data = TensorDataset(torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16,
                         torch.tensor(digits.target))
    train_set, test_set = random_split(data, [1400, 397])
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=128)

    model = LeNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = StepLR(optimizer, step_size=7, gamma=0.1)
    for epoch in range(15):
        loss = train_epoch(model, train_loader, criterion, optimizer, scheduler)
        print(f"epoch {epoch + 1:2d} train loss {loss:.4f} val acc {evaluate(model, test_loader):.4f}")
    print(f"metric=accuracy value={evaluate(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
