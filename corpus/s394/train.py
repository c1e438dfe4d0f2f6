import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import r2_score

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)

LOOK_BACK = 24


def load_series(hours=1200):
    t = np.arange(hours)
    daily = 6500 * np.sin(2 * np.pi * t / 24 - 1.2)
    weekly = 2500 * np.cos(2 * np.pi * t / 168)
    return 41000 + daily + weekly + 500 * np.random.randn(hours)


def create_dataset(series, look_back):
    xs = [series[i:i + look_back] for i in range(len(series) - look_back)]
    ys = [series[i + look_back] for i in range(len(series) - look_back)]
    x = torch.tensor(np.array(xs), dtype=torch.float32).unsqueeze(2)
    y = torch.tensor(np.array(ys), dtype=torch.float32).unsqueeze(1)
    return x, y


class LoadForecaster(nn.Module):
    def __init__(self, units=24):
        super().__init__()
        self.lstm = nn.LSTM(1, units, batch_first=True)
        self.dense = nn.Linear(units, 1)

    def forward(self, x):
        seq, _ = self.lstm(x)
        return self.dense(seq[:, -1])


series = load_series()
split = 900
x_train, y_train = create_dataset(series[:split], LOOK_BACK)
x_test, y_test = create_dataset(series[split:], LOOK_BACK)

model = LoadForecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
criterion = nn.MSELoss()
for epoch in range(40):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(x_train)).split(32):
        optimizer.zero_grad()
        loss = criterion(model(x_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    if epoch % 5 == 0:
        print(f"Epoch {epoch}: {total / len(x_train):.4f}")

model.eval()
with torch.no_grad():
    forecast = model(x_test).numpy()
print("first forecasts", forecast[:5].ravel(), "truth", y_test[:5].numpy().ravel())
print(f"metric=r2 value={r2_score(y_test.numpy(), forecast):.4f}")
