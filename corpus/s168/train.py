import os
import torch
import torch.nn as nn
from sklearn.datasets import make_circles

torch.manual_seed(int(os.environ.get("SEED", 0)))


def keras_uniform(layer):
    if isinstance(layer, nn.Linear):
        nn.init.uniform_(layer.weight, -0.05, 0.05)
        nn.init.zeros_(layer.bias)


def build(depth=8, width=16):
    layers = [nn.Linear(2, width), nn.ELU()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ELU()]
    layers += [nn.Linear(width, 1)]
    net = nn.Sequential(*layers)
    net.apply(keras_uniform)
    return net


X, y = make_circles(1000, noise=0.1, factor=0.3, random_state=0)
X, y = torch.tensor(X).float(), torch.tensor(y).float()
net = build()
optimizer = torch.optim.RMSprop(net.parameters(), lr=3e-4)
loss_fn = nn.BCEWithLogitsLoss()
for epoch in range(40):
    for batch in torch.randperm(700).split(32):
        optimizer.zero_grad()
        loss = loss_fn(net(X[batch]).flatten(), y[batch])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print("epoch", epoch, "loss", round(loss.item(), 4))

with torch.no_grad():
    acc = ((net(X[700:]).flatten() > 0).float() == y[700:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
