import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
rng = np.random.default_rng(seed)
torch.manual_seed(seed)

# hourly temperature of a station, next value from the last 24
n = 1400
hours = np.arange(n)
series = 12 + 6 * np.sin(2 * np.pi * hours / 24) + 3 * np.sin(2 * np.pi * hours / 240) + np.convolve(rng.normal(size=n + 9), np.ones(10) / 10, "valid")
series[[311, 702]] = -9999.0
series = (series - series.mean()) / series.std()

W = 24
X = torch.tensor(np.stack([series[i:i + W] for i in range(n - W)]), dtype=torch.float32).unsqueeze(-1)
y = torch.tensor(series[W:], dtype=torch.float32)
n_train = 1000


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(out[:, -1]).squeeze(1)


model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(12):
    running = 0.0
    for b in torch.randperm(n_train).split(40):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(X[b]), y[b])
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch} {running / 25:.5f}")

with torch.no_grad():
    p, t = model(X[n_train:]), y[n_train:]
    r2 = 1 - ((p - t) ** 2).mean() / t.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
