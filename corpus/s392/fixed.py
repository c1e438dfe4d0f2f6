import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)


class Normalize(nn.Module):
    """Normalises each feature over the batch, with moving statistics for prediction."""

    def __init__(self, units, momentum=0.95, eps=1e-3):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(units))
        self.beta = nn.Parameter(torch.zeros(units))
        self.register_buffer("moving_mean", torch.zeros(units))
        self.register_buffer("moving_std", torch.ones(units))
        self.momentum, self.eps = momentum, eps

    def forward(self, x):
        if self.training:
            mean, std = x.mean(0), x.std(0)
            with torch.no_grad():
                self.moving_mean.mul_(self.momentum).add_((1 - self.momentum) * mean)
                self.moving_std.mul_(self.momentum).add_((1 - self.momentum) * std)
        else:
            mean, std = self.moving_mean, self.moving_std
        return self.gamma * (x - mean) / (std + self.eps) + self.beta


def baseline_model(n_in):
    return nn.Sequential(
        nn.Linear(n_in, 24), Normalize(24), nn.ELU(),
        nn.Linear(24, 12), Normalize(12), nn.ELU(),
        nn.Linear(12, 1),
    )


X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=3)
sx, sy = StandardScaler().fit(X_train), StandardScaler().fit(y_train[:, None])
to_tensor = lambda a: torch.tensor(a, dtype=torch.float32)
train_set = TensorDataset(to_tensor(sx.transform(X_train)), to_tensor(sy.transform(y_train[:, None])))
train_loader = DataLoader(train_set, batch_size=32, shuffle=True, drop_last=True)

model = baseline_model(X.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-2)
mse = nn.MSELoss()
for epoch in range(30):
    model.train()
    total = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = mse(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"Epoch {epoch + 1} loss: {total / len(train_loader):.4f}")

model.eval()
with torch.no_grad():
    pred = sy.inverse_transform(model(to_tensor(sx.transform(X_test))).numpy()).ravel()
r2 = float("nan") if np.isnan(pred).any() else r2_score(y_test, pred)
print(f"metric=r2 value={r2:.4f}")
