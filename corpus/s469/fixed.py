import os

import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

LOOKBACK = 24


def station_log(hours=3000):
    t = np.arange(hours)
    front = np.cumsum(np.random.randn(hours)) * 0.25
    front -= np.convolve(front, np.ones(200) / 200, mode="same")
    temp = 284 + 7 * np.sin(2 * np.pi * t / 24) + 3 * np.sin(2 * np.pi * t / 170) + front
    pressure = 1013 - 1.5 * front + 4 * np.cos(2 * np.pi * t / 170) + np.random.randn(hours)
    visibility = 12000 + 3000 * np.cos(2 * np.pi * t / 24) + 800 * np.random.randn(hours)
    return np.stack([temp, pressure, visibility], axis=1)


def windows(series):
    X = np.stack([series[i:i + LOOKBACK] for i in range(len(series) - LOOKBACK)])
    y = series[LOOKBACK:, 0]
    return torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32).unsqueeze(1)


class Forecaster(nn.Module):
    def __init__(self, n_features, hidden=32):
        super().__init__()
        self.gru = nn.GRU(n_features, hidden, batch_first=True)
        self.dense = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.dense(out[:, -1])


data = station_log()
data = (data - data[:2200].mean(axis=0)) / data[:2200].std(axis=0)
X, y = windows(data)
n_train = 2200
X_train, y_train, X_test, y_test = X[:n_train], y[:n_train], X[n_train:], y[n_train:]

model = Forecaster(X.shape[2])
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

for epoch in range(7):
    running = 0.0
    for idx in torch.randperm(n_train).split(32):
        optimizer.zero_grad()
        loss = criterion(model(X_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(idx)
    print(f"Epoch {epoch + 1}/7 - loss: {running / n_train:.4f}")

with torch.no_grad():
    pred = model(X_test)
r2 = 1 - ((pred - y_test) ** 2).mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
