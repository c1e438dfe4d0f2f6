import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Linear") != -1:
        nn.init.kaiming_uniform_(m.weight)
        nn.init.zeros_(m.bias)


data = load_digits()
x, y = torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target)
perm = torch.randperm(len(x), generator=torch.Generator().manual_seed(19))
loader = DataLoader(TensorDataset(x[perm[:1350]], y[perm[:1350]]), batch_size=45, shuffle=True)

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
model.apply(weights_init)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(15):
    loss_sum = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()
    if epoch % 3 == 0:
        print("epoch", epoch, "loss", round(loss_sum / len(loader), 3))

with torch.no_grad():
    acc = (model(x[perm[1350:]]).argmax(1) == y[perm[1350:]]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
