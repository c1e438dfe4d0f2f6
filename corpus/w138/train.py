import os
import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def trend(time, slope=0.0):
    return slope * time


def seasonality(time, period, amplitude):
    season = (time % period) / period
    return amplitude * np.where(season < 0.4, np.cos(season * 2 * np.pi), 1 / np.exp(3 * season))


time = np.arange(1461, dtype="float32")
noise = np.random.RandomState(51).randn(1461) * 4
series = (10 + trend(time, 0.02) + seasonality(time, 73, 35) + noise).astype("float32")
split_time, window_size, batch_size = 1000, 20, 32

windows = torch.tensor(series).unfold(0, window_size + 1, 1)
train_w = windows[:split_time - window_size]
valid_w = windows[split_time - window_size:]

model = nn.Sequential(
    nn.Linear(window_size, 20), nn.ReLU(),
    nn.Linear(20, 10), nn.ReLU(),
    nn.Linear(10, 1),
)
optimizer = torch.optim.SGD(model.parameters(), lr=4e-6, momentum=0.9)
mse = nn.MSELoss()
for epoch in range(60):
    for b in torch.randperm(len(train_w)).split(batch_size):
        optimizer.zero_grad()
        loss = mse(model(train_w[b, :-1]).squeeze(-1), train_w[b, -1])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(f"Epoch {epoch + 1}/60 - loss: {loss.item():.4f}")

with torch.no_grad():
    forecast = model(valid_w[:, :-1]).squeeze(-1)
    target = valid_w[:, -1]
    r2 = 1 - ((forecast - target) ** 2).sum() / ((target - target.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
