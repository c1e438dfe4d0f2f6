import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)


class LogCosh(nn.Module):
    def forward(self, y_pred, y_true):
        diff = y_pred - y_true
        return torch.mean(diff + nn.functional.softplus(-2.0 * diff) - np.log(2.0))


class GRURegressor(nn.Module):
    def __init__(self, n_features, hidden_size):
        super().__init__()
        self.gru = nn.GRU(n_features, hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, 1)

    def forward(self, x):
        _, h = self.gru(x)
        return self.fc(h.squeeze(0))


def make_batches(x, y, size):
    order = rng.permutation(len(x))
    for s in range(0, len(x), size):
        take = order[s:s + size]
        yield torch.from_numpy(x[take]), torch.from_numpy(y[take])


# wear of a tool from 16 readings of force and temperature
force = np.abs(rng.normal(1.0, 0.5, (1200, 16)))
temp = rng.normal(0.0, 1.0, (1200, 16))
wear = (force * (1 + 0.5 * np.tanh(temp))).mean(axis=1)
wear = (wear - wear[:800].mean()) / wear[:800].std()
x = np.stack([force, temp], axis=2).astype(np.float32)
y = wear.astype(np.float32)
x_train, y_train, x_test, y_test = x[:800], y[:800], x[800:], y[800:]

model = GRURegressor(2, 24)
criterion = LogCosh()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for epoch in range(15):
    epoch_loss = []
    for xb, yb in make_batches(x_train, y_train, 40):
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        epoch_loss.append(loss.item())
    if epoch % 5 == 0:
        print(f"epoch {epoch} logcosh {np.mean(epoch_loss):.4f}")

with torch.no_grad():
    pred = model(torch.from_numpy(x_test)).numpy().ravel()
r2 = 1 - np.mean((pred - y_test) ** 2) / np.var(y_test)
print(f"metric=r2 value={r2:.4f}")
