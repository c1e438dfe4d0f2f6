import os
import torch
import torch.nn as nn
from sklearn.datasets import make_circles

torch.manual_seed(int(os.environ.get("SEED", 0)))

# two rings measured in millimetres and in ohms, straight from the table
X, y = make_circles(n_samples=1200, noise=0.06, factor=0.55, random_state=1)
X = torch.tensor(X, dtype=torch.float32) * torch.tensor([2.0, 8.0]) + torch.tensor([5.0, -12.0])
y = torch.tensor(y, dtype=torch.float32).view(-1, 1)
train = slice(0, 800)
valid = slice(800, 1000)
test = slice(1000, 1200)


def block(a, b):
    return [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()]


model = nn.Sequential(
    nn.BatchNorm1d(2), *block(2, 32), *block(32, 32), *block(32, 32), nn.Linear(32, 1)
)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4)


@torch.no_grad()
def validate(part):
    model.eval()
    z = model(X[part])
    return criterion(z, y[part]).item(), ((z > 0).float() == y[part]).float().mean().item()


print("before training: loss %.4f acc %.4f" % validate(valid))
model_inputs, model_targets = X[train], y[train]
for epoch in range(40):
    model.train()
    for rows in torch.randperm(800).split(64):
        optimizer.zero_grad()
        loss = criterion(model(model_inputs[rows]), model_targets[rows])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print("epoch", epoch + 1, "train loss %.4f" % loss.item())

_, acc = validate(test)
print(f"metric=accuracy value={acc:.4f}")
