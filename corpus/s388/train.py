import os

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)


def make_rooms(n):
    distance = np.random.uniform(1.0, 12.0, n)
    absorption = np.random.uniform(0.05, 0.6, n)
    freq = np.random.uniform(-1.0, 1.0, n)
    walls = np.random.randint(0, 4, n)
    level = -2.0 * np.log10(distance) - 1.5 * absorption - 0.6 * walls + 0.3 * np.sin(3 * freq)
    level += 0.05 * np.random.randn(n)
    audible = (level > -2.0).astype(np.float32)
    X = np.stack([(distance - 6.5) / 3.2, (absorption - 0.32) / 0.16, freq, (walls - 1.5) / 1.1], axis=1)
    return [torch.tensor(a, dtype=torch.float32) for a in (X, level[:, None], audible[:, None])]


class Dense(nn.Module):
    def __init__(self, n_in, units, activation=None):
        super().__init__()
        self.linear = nn.Linear(n_in, units)
        self.activation = {"relu": torch.relu, "sigmoid": torch.sigmoid, None: lambda t: t}[activation]

    def forward(self, x):
        return self.activation(self.linear(x))


class RoomModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Sequential(Dense(4, 64, "relu"), Dense(64, 64, "relu"))
        self.level = nn.Sequential(Dense(64, 32, "relu"), Dense(32, 1, "relu"))
        self.audible = nn.Sequential(Dense(64, 32, "relu"), Dense(32, 1, "sigmoid"))

    def forward(self, x):
        h = self.shared(x)
        return {"level": self.level(h), "audible": self.audible(h)}


losses = {"level": nn.MSELoss(), "audible": nn.BCELoss()}
loss_weights = {"level": 1.0, "audible": 0.5}

X, level, audible = make_rooms(2000)
Xv, level_v, audible_v = make_rooms(500)
loader = DataLoader(TensorDataset(X, level, audible), batch_size=64, shuffle=True)
model = RoomModel()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

for epoch in range(40):
    totals = {"level": 0.0, "audible": 0.0}
    for xb, lb, ab in loader:
        out = model(xb)
        terms = {"level": losses["level"](out["level"], lb), "audible": losses["audible"](out["audible"], ab)}
        loss = sum(loss_weights[k] * v for k, v in terms.items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for k in totals:
            totals[k] += terms[k].item() / len(loader)
    if epoch % 5 == 0:
        print("Epoch", epoch, " - ".join(f"{k}_loss: {v:.4f}" for k, v in totals.items()))

with torch.no_grad():
    out = model(Xv)
print("audible accuracy", ((out["audible"] > 0.5).float() == audible_v).float().mean().item())
r2 = 1 - ((out["level"] - level_v) ** 2).mean() / level_v.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
