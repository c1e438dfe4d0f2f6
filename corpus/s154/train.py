import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(5)

# hourly bike rentals, three months
stamps = 1_530_403_200 + 3600 * np.arange(24 * 90)
hour = (stamps // 3600) % 24
weekend = ((stamps // 86400) % 7 >= 5).astype(float)
temp = 20 + 6 * np.sin((hour - 9) / 24 * 2 * np.pi) + rng.normal(0, 2, len(stamps))
rain = (rng.random(len(stamps)) < 0.1).astype(float)
rentals = 1.5 + np.cos((hour - 14) / 24 * 2 * np.pi) + 0.05 * (temp - 20) - 0.8 * rain - 0.4 * weekend + rng.normal(0, 0.15, len(stamps))

features = np.stack([stamps, hour, weekend, temp, rain], axis=1)
X = torch.tensor(features, dtype=torch.float32)
y = torch.tensor((rentals - rentals.mean()) / rentals.std(), dtype=torch.float32).unsqueeze(1)
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
X, y = X[perm], y[perm]
X_train, y_train, X_val, y_val = X[:1700], y[:1700], X[1700:], y[1700:]


class RentalModel(nn.Module):
    def __init__(self, n_features, width=32):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x):
        return self.net(x)


model = RentalModel(X.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.MSELoss()
for epoch in range(60):
    model.train()
    for idx in torch.randperm(len(X_train)).split(64):
        loss = loss_fn(model(X_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 15 == 0:
        model.eval()
        with torch.no_grad():
            print(f"epoch {epoch}: val {loss_fn(model(X_val), y_val).item():.4g}")

model.eval()
with torch.no_grad():
    pred = model(X_val)
r2 = 1 - ((pred - y_val) ** 2).sum() / ((y_val - y_val.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
