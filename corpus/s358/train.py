import os
import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", 0))
np.random.seed(SEED)
torch.manual_seed(SEED)
torch.set_num_threads(1)

# wind speed forecast -> distribution of turbine power, noise depends on the speed
QUANTILES = [0.1, 0.5, 0.9]
n = 1500
speed = np.random.uniform(3, 14, n)
direction = np.random.uniform(0, 2 * np.pi, n)
power = 1 / (1 + np.exp(-(speed - 8.5) / 1.2)) + 0.1 * np.cos(direction)
power = power + (0.02 + 0.012 * speed) * np.random.randn(n)
X = np.column_stack([(speed - 8.5) / 3.2, np.cos(direction), np.sin(direction)]).astype(np.float32)
X, Y = torch.from_numpy(X), torch.from_numpy(power.astype(np.float32))
X_train, X_test, Y_train, Y_test = X[:1000], X[1000:], Y[:1000], Y[1000:]

net = nn.Sequential(nn.Linear(3, 64), nn.ELU(), nn.Linear(64, 64), nn.ELU(), nn.Linear(64, len(QUANTILES)))


def pinball(pred, target):
    losses = []
    for k, q in enumerate(QUANTILES):
        diff = target - pred[:, k:k + 1]
        losses.append(torch.maximum(q * diff, (q - 1) * diff).mean())
    return sum(losses)


opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(50):
    order = torch.randperm(len(X_train))
    for start in range(0, len(order), 50):
        b = order[start:start + 50]
        opt.zero_grad()
        loss = pinball(net(X_train[b]), Y_train[b])
        loss.backward()
        opt.step()
    if (epoch + 1) % 10 == 0:
        print(f"Epoch {epoch + 1}: pinball {loss.item():.4f}")

with torch.no_grad():
    pred = net(X_test).numpy()
target = Y_test.numpy()


def score(p, t):
    return sum(np.maximum(q * (t - p[:, k]), (q - 1) * (t - p[:, k])).mean() for k, q in enumerate(QUANTILES))


climatology = np.tile(np.quantile(Y_train.numpy(), QUANTILES), (len(target), 1))
skill = 1 - score(pred, target) / score(climatology, target)
print(f"metric=score value={skill:.4f}")
