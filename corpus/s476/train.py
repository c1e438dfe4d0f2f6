import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", "0")))

cfg = {
    "conv": [6, 6, 12, 12],
    "dense": [64, 64, 32],
    "activation": nn.Sigmoid,
    "batch_size": 32,
    "epochs": 12,
    "lr": 0.001,
}


def build(cfg):
    act, layers, c_in = cfg["activation"], [], 1
    for i, c in enumerate(cfg["conv"]):
        layers += [nn.Conv2d(c_in, c, 3, padding=1), act()]
        if i == 0:
            layers.append(nn.AvgPool2d(2))
        c_in = c
    layers.append(nn.Flatten())
    n = c_in * 16
    for width in cfg["dense"]:
        layers += [nn.Linear(n, width), act()]
        n = width
    layers.append(nn.Linear(n, 10))
    return nn.Sequential(*layers)


digits = load_digits()
X = StandardScaler().fit_transform(digits.data).reshape(-1, 1, 8, 8)
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(digits.target)
order = torch.randperm(len(X))
train, test = order[:1300], order[1300:]
loader = DataLoader(TensorDataset(X[train], y[train]), batch_size=cfg["batch_size"], shuffle=True)

model = build(cfg)
optimizer = torch.optim.Adam(model.parameters(), lr=cfg["lr"])
criterion = nn.CrossEntropyLoss()

for epoch in range(cfg["epochs"]):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        train_acc = (model(X[train]).argmax(1) == y[train]).float().mean().item()
    print(f"epoch {epoch}: loss={loss.item():.4f} train_acc={train_acc:.3f}")

with torch.no_grad():
    acc = (model(X[test]).argmax(1) == y[test]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
