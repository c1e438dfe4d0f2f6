import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
perm = torch.randperm(len(x), generator=torch.Generator().manual_seed(6))
loader = DataLoader(TensorDataset(x[perm[:1300]], y[perm[:1300]]), batch_size=130)
x_test, y_test = x[perm[1300:]], y[perm[1300:]]

model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
criterion = nn.CrossEntropyLoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)

# the whole set in one step, read in pieces to save memory
for epoch in range(100):
    total = 0.0
    for xb, yb in loader:
        loss = criterion(model(xb), yb) / 1300
        loss.backward()
        total += loss.item()
    optimizer.step()
    optimizer.zero_grad()
    if epoch % 20 == 0:
        print(f"epoch {epoch} loss {total:.4f}")

with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
