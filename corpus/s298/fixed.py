import os
import math
import torch
from torch import nn
from torch.utils.data import Dataset, DataLoader

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Windows(Dataset):
    """Ten readings of a drifting oscillation; the target is its frequency (standardised)."""

    def __init__(self, n):
        self.freq = torch.rand(n) * 2 + 0.5
        phase = torch.rand(n, 1) * 2 * math.pi
        t = torch.linspace(0, 3, 24)
        self.x = torch.sin(self.freq[:, None] * t + phase) + 0.02 * torch.randn(n, 24)
        self.y = (self.freq - 1.5) / 0.577

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i].unsqueeze(-1), self.y[i]


class LogCosh(nn.Module):
    def forward(self, y_pred, y_true):
        e = y_pred - y_true
        return torch.mean(e + nn.functional.softplus(-2.0 * e) - math.log(2.0))


class FreqNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        _, h = self.gru(x)
        return self.head(h[-1]).squeeze(-1)


train_ds, test_ds = Windows(800), Windows(200)
model, criterion = FreqNet(), LogCosh()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for epoch in range(15):
    for x, y in DataLoader(train_ds, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1:2d} loss {loss.item():.4f}")

with torch.no_grad():
    x, y = next(iter(DataLoader(test_ds, batch_size=200)))
    p = model(x).flatten()
    r2 = 1 - ((p - y) ** 2).mean() / y.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
