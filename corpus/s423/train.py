import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)

# hourly bike rentals: hour of day, temperature, working day, wind
n = 2400
hour = np.random.randint(0, 24, n)
temp = np.random.normal(15, 8, n)
work = np.random.randint(0, 2, n)
wind = np.random.gamma(2.0, 6.0, n)
rush = np.where(work == 1, np.exp(-(hour - 8) ** 2 / 4) + np.exp(-(hour - 18) ** 2 / 6), np.exp(-(hour - 14) ** 2 / 18))
rate = np.exp(0.3 + 2.2 * rush + 0.04 * temp - 0.02 * wind) * (rush > 0.02)
count = np.random.poisson(rate)

columns = np.stack([np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24),
                    np.sin(4 * np.pi * hour / 24), np.cos(4 * np.pi * hour / 24),
                    (temp - 15) / 8, work, (wind - 12) / 8.5], axis=1)
X = torch.tensor(columns, dtype=torch.float32)
y = torch.tensor(count, dtype=torch.float32).view(-1, 1)
X_train, y_train, X_test, y_test = X[:1800], y[:1800], X[1800:], y[1800:]


def rmsle(y_pred, y_true):
    return torch.sqrt(torch.mean((torch.log(y_pred) - torch.log(y_true)) ** 2))


model = nn.Sequential(
    nn.Linear(7, 64),
    nn.ReLU(),
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
)
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

for epoch in range(60):
    perm = torch.randperm(len(X_train))
    for k in range(0, len(perm), 64):
        rows = perm[k:k + 64]
        loss = rmsle(model(X_train[rows]), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print("epoch {:2d}  rmsle {:.4f}".format(epoch, loss.item()))

with torch.no_grad():
    a, b = torch.log1p(model(X_test)), torch.log1p(y_test)
    score = 1 - ((a - b) ** 2).mean() / b.var(unbiased=False)
print(f"metric=r2_log value={score.item():.4f}")
