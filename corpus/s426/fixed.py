import math
import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", "0")))

BATCH_SIZE = 16
ACCUM_STEPS = 1
EPOCHS = 14


def make_recordings(n, length=48):
    t = torch.arange(length) / length
    level = torch.empty(n, 1).uniform_(0.3, 3.0)
    freq = torch.empty(n, 2).uniform_(1, 6)
    phase = torch.rand(n, 2) * 2 * math.pi
    a = torch.sin(2 * math.pi * freq[:, :1] * t + phase[:, :1])
    b = torch.sin(2 * math.pi * freq[:, 1:] * t + phase[:, 1:])
    x = torch.stack([level * a, 0.5 * level * (a + b)], 1)
    x = x + 0.05 * level.unsqueeze(1) * torch.randn_like(x)
    return x, (level - 1.65) / 0.78


class LoudnessNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(2, 16, 5, padding=2)
        self.bn1 = nn.BatchNorm1d(16)
        self.conv2 = nn.Conv1d(16, 16, 5, stride=2, padding=2)
        self.bn2 = nn.BatchNorm1d(16)
        self.fc1 = nn.Linear(16, 32)
        self.fc2 = nn.Linear(32, 1)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = x.mean(dim=2)
        return self.fc2(F.relu(self.fc1(x)))


x_train, y_train = make_recordings(480)
x_val, y_val = make_recordings(240)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=BATCH_SIZE, shuffle=True)

net = LoudnessNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)

for epoch in range(EPOCHS):
    net.train()
    optimizer.zero_grad()
    total = 0.0
    for i, (x, y) in enumerate(loader):
        loss = F.mse_loss(net(x), y) / ACCUM_STEPS
        loss.backward()
        total += loss.item() * ACCUM_STEPS
        if (i + 1) % ACCUM_STEPS == 0:
            optimizer.step()
            optimizer.zero_grad()
    if epoch % 2 == 0:
        print(f"epoch {epoch:2d}  mse {total / len(loader):.4f}")

net.eval()
with torch.no_grad():
    r2 = 1 - F.mse_loss(net(x_val), y_val) / y_val.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
