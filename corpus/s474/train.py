import os
import math
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(int(os.environ.get("SEED", "0")))
LEVELS = (0.5, 1.0, 1.6, 2.4)


class Vibration(Dataset):
    """Accelerometer snippets of a pump; the class is the wear level (0..3)."""

    def __init__(self, n, length=64):
        t = torch.arange(length) / length
        self.y = torch.randint(0, len(LEVELS), (n,))
        gain = torch.tensor(LEVELS)[self.y] * (1 + 0.08 * torch.randn(n))
        freq = 4 + 4 * torch.rand(n, 1)
        phase = 2 * math.pi * torch.rand(n, 1)
        wave = torch.sin(2 * math.pi * freq * t + phase) + 0.3 * torch.randn(n, length)
        self.x = (gain.unsqueeze(1) * wave).unsqueeze(1)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def block(c_in, c_out):
    return nn.Sequential(
        nn.Conv1d(c_in, c_out, kernel_size=5, padding=2, bias=False),
        nn.BatchNorm1d(c_out),
        nn.ReLU(),
        nn.MaxPool1d(2),
    )


model = nn.Sequential(
    block(1, 12), block(12, 24), block(24, 24),
    nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(24, len(LEVELS)),
)
train_loader = DataLoader(Vibration(600), shuffle=True)
test_set = Vibration(400)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(6):
    model.train()
    losses = []
    for signal, level in train_loader:
        loss = criterion(model(signal), level)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.4f}")

model.eval()
with torch.no_grad():
    acc = (model(test_set.x).argmax(1) == test_set.y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
