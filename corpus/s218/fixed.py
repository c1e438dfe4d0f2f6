import os
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman2

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

X, y = make_friedman2(1600, noise=30.0, random_state=seed)
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
X = (X - X.mean(0)) / X.std(0)
y = (y - y.mean()) / y.std()


def make_mlp(sizes, p):
    layers = []
    for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:])):
        layers.append(nn.Linear(a, b))
        if i < len(sizes) - 2:
            layers.append(nn.SELU())
        layers.append(nn.Dropout(p[i]))
    return nn.Sequential(*layers)


model = make_mlp([4, 64, 64, 1], p=[0.0, 0.1, 0.0])
optimizer = torch.optim.RAdam(model.parameters(), lr=3e-3)
for epoch in range(25):
    model.train()
    total = 0.0
    for batch in torch.randperm(1200).split(40):
        loss = nn.functional.mse_loss(model(X[batch]).squeeze(1), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch) / 1200
    if epoch % 5 == 0:
        print(epoch, f"{total:.4f}")

model.eval()
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(model(X[1200:]).squeeze(1), y[1200:]) / y[1200:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
