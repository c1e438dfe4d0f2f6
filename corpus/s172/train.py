import os
import torch
import torch.nn as nn
from sklearn.datasets import make_moons

torch.manual_seed(int(os.environ.get("SEED", 0)))

OPTIMIZERS = {
    "adam": lambda params: torch.optim.Adam(params, lr=1e-3),
    "adagrad": lambda params: torch.optim.Adagrad(params, lr=1e-3),
    "sgd": lambda params: torch.optim.SGD(params, lr=0.1),
}
config = {"optimizer": "adagrad", "epochs": 60, "batch": 32, "hidden": [20, 20]}

X, y = make_moons(1000, noise=0.12, random_state=5)
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]

widths = [2] + config["hidden"]
blocks = [m for a, b in zip(widths, widths[1:]) for m in (nn.Linear(a, b), nn.LeakyReLU(0.1))]
model = nn.Sequential(*blocks, nn.Linear(widths[-1], 1))
optimizer = OPTIMIZERS[config["optimizer"]](model.parameters())
criterion = nn.BCEWithLogitsLoss()

for epoch in range(config["epochs"]):
    for idx in torch.randperm(800).split(config["batch"]):
        optimizer.zero_grad()
        loss = criterion(model(X[idx]), y[idx])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(f"{epoch}: {loss.item():.4f}")

with torch.no_grad():
    acc = ((model(X[800:]) > 0) == (y[800:] > 0.5)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
