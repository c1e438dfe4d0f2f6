import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(100 + seed)


def windows(n_series, length=60, window=20):
    xs, ys = [], []
    for _ in range(n_series):
        t = np.arange(length)
        amplitude, period, phase = rng.uniform(0.6, 1.2), rng.uniform(10, 18), rng.uniform(0, 6.28)
        level = amplitude * np.sin(2 * np.pi * t / period + phase)
        s = level + rng.normal(size=length) * 0.03
        for i in range(0, length - window - 1, 5):
            xs.append(s[i:i + window])
            ys.append(s[i + window])
    return torch.tensor(np.array(xs), dtype=torch.float32)[..., None], torch.tensor(ys, dtype=torch.float32)[:, None]


class GRUForecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.mean = nn.Linear(hidden, 1)
        self.log_var = nn.Linear(hidden, 1)

    def forward(self, x):
        _, h = self.gru(x)
        return self.mean(h[-1]), self.log_var(h[-1])


x_train, y_train = windows(120)
x_test, y_test = windows(40)
model = GRUForecaster()
nll = nn.GaussianNLLLoss(eps=1e-4)
optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
epochs = 22
steps = epochs * ((len(x_train) + 31) // 32)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8e-3, total_steps=steps)

for epoch in range(epochs):
    total = 0.0
    for idx in torch.randperm(len(x_train)).split(32):
        mean, log_var = model(x_train[idx])
        loss = nll(mean, y_train[idx], log_var.exp())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        total += loss.item() * len(idx)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: nll {total / len(x_train):.4f}")

with torch.no_grad():
    mean, log_var = model(x_test)
    r2 = 1 - ((mean - y_test) ** 2).mean() / y_test.var(unbiased=False)
    inside = ((mean - y_test).abs() < 2 * (0.5 * log_var).exp()).float().mean()
print(f"within two sigma: {inside:.3f}")
print(f"metric=r2 value={r2.item():.4f}")
