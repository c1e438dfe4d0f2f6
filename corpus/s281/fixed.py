import os
import torch
from torch import nn, optim
from sklearn.datasets import make_circles

torch.manual_seed(int(os.environ.get("SEED", 0)))

CONFIG = dict(hidden=[12, 12, 12], lr=0.02, momentum=0.9, batch_size=8, epochs=12)

data, target = make_circles(n_samples=1000, noise=0.1, factor=0.5, random_state=1)
data = torch.as_tensor(data, dtype=torch.float)
target = torch.as_tensor(target, dtype=torch.float)
train_x, test_x = data[:600], data[600:]
train_y, test_y = target[:600], target[600:]


def mlp(hidden):
    modules, prev = [], 2
    for h in hidden:
        modules += [nn.Linear(prev, h), nn.Tanh()]
        prev = h
    return nn.Sequential(*modules, nn.Linear(prev, 1), nn.Flatten(0))


model = mlp(CONFIG["hidden"])
opt = optim.SGD(model.parameters(), lr=CONFIG["lr"], momentum=CONFIG["momentum"])
bce = nn.BCEWithLogitsLoss()

for epoch in range(CONFIG["epochs"]):
    losses = []
    for batch in torch.randperm(600).split(CONFIG["batch_size"]):
        opt.zero_grad()
        loss = bce(model(train_x[batch]), train_y[batch])
        loss.backward()
        opt.step()
        losses.append(loss.item())
    with torch.no_grad():
        val = bce(model(test_x), test_y).item()
    print(f"[{epoch:02d}] train {sum(losses) / len(losses):.3f} val {val:.3f}")

with torch.no_grad():
    acc = ((model(test_x) > 0).float() == test_y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
