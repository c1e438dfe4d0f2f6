import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X, y = torch.tensor(d.data / 16.0, dtype=torch.float32), torch.tensor(d.target)
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(7))
X, y = X[perm], y[perm]


class RandomExposure:
    def __call__(self, x):
        gain = 0.7 + 0.6 * torch.rand(len(x), 1)
        return x * gain


class Compose:
    def __init__(self, *steps):
        self.steps = steps

    def __call__(self, x):
        for s in self.steps:
            x = s(x)
        return x


augment = Compose(RandomExposure(), lambda x: x + 0.02 * torch.randn_like(x))
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.CrossEntropyLoss()
for epoch in range(20):
    for idx in torch.randperm(1400).split(50):
        optimizer.zero_grad()
        loss = criterion(model(augment(X[idx])), y[idx])
        loss.backward()
        optimizer.step()
    if epoch % 4 == 0:
        print(f"epoch {epoch} {loss.item():.4f}")

with torch.no_grad():
    acc = (model(X[1400:]).argmax(1) == y[1400:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
