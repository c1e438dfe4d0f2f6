import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# hourly load of a small district, in kW
hours = np.arange(24 * 40)
load = (6200 + 1400 * np.sin(2 * np.pi * hours / 24 - 1.2)
        + 500 * np.sin(2 * np.pi * hours / 168) + rng.normal(0, 120, len(hours)))

WINDOW = 24
series = ((load - load[:24 * 30].mean()) / load[:24 * 30].std()).astype(np.float32)


def to_windows(values):
    xs = np.stack([values[i:i + WINDOW] for i in range(len(values) - WINDOW)])
    return torch.from_numpy(xs).unsqueeze(-1), torch.from_numpy(values[WINDOW:]).unsqueeze(-1)


x, y = to_windows(series)
split = 24 * 30
x_train, y_train, x_test, y_test = x[:split], y[:split], x[split:], y[split:]


class LoadLSTM(nn.Module):
    def __init__(self, units=24):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=units, batch_first=True)
        self.dense = nn.Linear(units, 1)

    def forward(self, x):
        _, (h, _) = self.lstm(x)
        return self.dense(h[-1])


model = LoadLSTM()
mse = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
for epoch in range(20):
    total = 0
    for idx in torch.randperm(len(x_train)).split(32):
        loss = mse(model(x_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    print(f"Epoch {epoch + 1:2d} loss {total / len(x_train):.5g}")

with torch.no_grad():
    pred = model(x_test)
    r2 = 1 - mse(pred, y_test) / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
