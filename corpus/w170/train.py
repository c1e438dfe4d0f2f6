import math
import os

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)


def truth(x):
    return 0.4 * np.sin(2.5 * x) + 0.1 * x


def make_data(n):
    x = np.random.uniform(-2, 2, (n, 1))
    sigma = 0.03 + 0.03 * (x > 0) * np.abs(x)
    y = truth(x) + sigma * np.random.randn(n, 1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.mean = nn.Linear(64, 1)
        self.scale = nn.Sequential(nn.Linear(64, 1), nn.Softplus())

    def forward(self, x):
        h = self.body(x)
        return self.mean(h), self.scale(h) + 5e-3


def negative_log_likelihood(y, mean, scale):
    return (0.5 * ((y - mean) / scale) ** 2 + scale.log() + 0.5 * math.log(2 * math.pi)).mean()


x, y = make_data(2000)
x_test, y_test = make_data(1000)
model = TwoHeads()
epochs = 50
loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader), eta_min=2e-5)

for epoch in range(epochs):
    total = 0.0
    for xb, yb in loader:
        loss = negative_log_likelihood(yb, *model(xb))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
    if (epoch + 1) % 10 == 0:
        print(f"epoch {epoch + 1} nll {total / len(loader):.4f}")

with torch.no_grad():
    mean, scale = model(x_test)
inside = ((y_test - mean).abs() < 1.96 * scale).float().mean()
print("test nll", negative_log_likelihood(y_test, mean, scale).item(), "95% interval covers", inside.item())
r2 = 1 - ((mean - y_test) ** 2).mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
