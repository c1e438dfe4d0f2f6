import os
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))

data = load_diabetes()
X = torch.tensor(data.data / data.data.std(0), dtype=torch.float32)
y = torch.tensor((data.target - 152.1) / 77.0, dtype=torch.float32)
perm = torch.randperm(len(y))
X, y = X[perm], y[perm]

# heavy momentum with a rate to match
model = nn.Linear(10, 1)
opt = torch.optim.SGD(model.parameters(), lr=2e-4, momentum=0.99)
for epoch in range(150):
    for b in torch.randperm(330).split(33):
        loss = nn.functional.smooth_l1_loss(model(X[b]).squeeze(1), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 30 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    r2 = 1 - (model(X[330:]).squeeze(1) - y[330:]).pow(2).mean() / y[330:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
