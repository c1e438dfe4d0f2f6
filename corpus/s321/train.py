import os
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)


def read_patients(n=2400):
    # same layout as the hospital's csv: measurements, then the selector column
    rng = np.random.RandomState(SEED + 11)
    df = pd.DataFrame({
        "alb": rng.normal(3.2, 0.8, n), "alp": rng.gamma(4.0, 60.0, n), "alt": rng.gamma(2.0, 25.0, n),
        "ast": rng.gamma(2.0, 30.0, n), "bili": rng.gamma(1.5, 1.2, n), "age": rng.uniform(18, 80, n)})
    risk = (1.3 * (df.bili - 1.8) - 1.5 * (df.alb - 3.2) + 0.02 * (df.alt - 50) * (df.age > 45)
            + 0.008 * (df.alp - 240) + rng.normal(0, 0.4, n))
    df["selector"] = np.where(risk > np.quantile(risk, 0.42), 2, 1)
    return df


df = read_patients()
features = ["alb", "alp", "alt", "ast", "bili", "age"]
train, test = df.iloc[:1800], df.iloc[1800:]
mean, std = train[features].mean(), train[features].std()


def to_tensors(part):
    x = torch.tensor(((part[features] - mean) / std).values, dtype=torch.float32)
    y = torch.tensor(part["selector"].values, dtype=torch.float32).view(-1, 1)
    return x, y


loader = DataLoader(TensorDataset(*to_tensors(train)), batch_size=64, shuffle=True)
model = nn.Sequential(nn.Linear(6, 24), nn.LeakyReLU(), nn.Linear(24, 12), nn.LeakyReLU(), nn.Linear(12, 1))
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(40):
    for xb, yb in loader:
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if (epoch + 1) % 10 == 0:
        print(f"epoch {epoch + 1}: loss={loss.item():.3f}")

model.eval()
x, y = to_tensors(test)
with torch.no_grad():
    predicted = (torch.sigmoid(model(x)) > 0.5).float()
print(f"metric=accuracy value={(predicted == y).float().mean().item():.4f}")
