import os
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1

torch.manual_seed(int(os.environ.get("SEED", 0)))

# target: price in thousands, 5..60
X, y = make_friedman1(n_samples=900, n_features=6, noise=0.5, random_state=9)
y = 5 + 2 * y
X = torch.tensor(X, dtype=torch.float32) * 2 - 1
y = torch.tensor(y, dtype=torch.float32).view(-1, 1)


def make_model(n_inputs):
    return nn.Sequential(
        nn.Linear(n_inputs, 64), nn.ReLU6(),
        nn.Linear(64, 32), nn.ReLU6(),
        nn.Linear(32, 1), nn.ReLU6(),
    )


model = make_model(X.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
mse = nn.MSELoss()
for epoch in range(80):
    order = torch.randperm(700)
    for j in range(0, 700, 35):
        take = order[j:j + 35]
        optimizer.zero_grad()
        loss = mse(model(X[take]), y[take])
        loss.backward()
        optimizer.step()
    if (epoch + 1) % 20 == 0:
        print(f"epoch {epoch + 1}: mse {loss.item():.3f}")

with torch.no_grad():
    p, t = model(X[700:]), y[700:]
    r2 = 1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
