import os
import numpy as np
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# monthly passengers (thousands), 20 years, trend and season
rng = np.random.default_rng(4)
t = np.arange(240)
series = (120 + 1.6 * t) * (1 + 0.22 * np.sin(2 * np.pi * t / 12) + 0.06 * np.cos(4 * np.pi * t / 12)) + rng.normal(0, 5, 240)
series = ((series - series.min()) / (series.max() - series.min())).astype("float32")


def create_dataset(values, look_back=12):
    xs = [values[i:i + look_back] for i in range(len(values) - look_back)]
    return torch.tensor(np.array(xs)), torch.tensor(values[look_back:]).unsqueeze(1)


X, Y = create_dataset(series)
idx = np.random.default_rng(0).permutation(len(X))
train_idx, test_idx = idx[:170], idx[170:]
trainX, trainY, testX, testY = X[train_idx], Y[train_idx], X[test_idx], Y[test_idx]

model = nn.Sequential(
    nn.Linear(12, 24),
    nn.Sigmoid(),
    nn.Linear(24, 1),
)
loss_function = nn.MSELoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.005)

for epoch in range(200):
    perm = torch.randperm(len(trainX))
    for b in perm.split(16):
        optimizer.zero_grad()
        loss = loss_function(model(trainX[b]), trainY[b])
        loss.backward()
        optimizer.step()
    if epoch % 40 == 0:
        print(f"Epoch {epoch}: train MSE {loss.item():.5f}")

with torch.no_grad():
    err = ((model(testX) - testY) ** 2).mean()
    r2 = 1 - err / testY.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
