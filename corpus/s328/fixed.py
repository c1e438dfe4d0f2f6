import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# hourly load of a small grid: day and week rhythm, weather drift
hours = np.arange(1700)
drift = np.convolve(rng.normal(0, 1, 1700 + 47), np.ones(48) / 48 ** 0.5, mode="valid")
load = (np.sin(2 * np.pi * hours / 24) + 0.5 * np.sin(2 * np.pi * hours / 12 + 1) + 0.4 * np.sin(2 * np.pi * hours / 168)
        + 0.3 * drift + rng.normal(0, 0.05, 1700))
load = (load - load[:1300].mean()) / load[:1300].std()

window = 24
windows = np.lib.stride_tricks.sliding_window_view(load, window + 1)
X = torch.tensor(windows[:, :-1].copy(), dtype=torch.float32).unsqueeze(-1)
y = torch.tensor(windows[:, -1:].copy(), dtype=torch.float32)
n_train = 1300 - window


class LoadForecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, x):
        states, _ = self.gru(x)
        return self.linear(states[:, -1])


model = LoadForecaster()
loss_function = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for epoch in range(40):
    for batch in torch.randperm(n_train).split(64):
        optimizer.zero_grad()
        y_pred = model(X[batch])
        single_loss = loss_function(y_pred, y[batch])
        single_loss.backward()
        optimizer.step()
    if epoch % 8 == 7:
        print(f"epoch: {epoch + 1:3} loss: {single_loss.item():10.6f}")

with torch.no_grad():
    forecast = model(X[n_train:])
    truth = y[n_train:]
    r2 = 1 - ((forecast - truth) ** 2).mean() / truth.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
