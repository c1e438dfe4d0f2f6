import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import balanced_accuracy_score
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))

r = np.random.RandomState(15)
n = 2400
geo = r.randint(0, 3, n)
age, balance, salary = r.normal(39, 10, n), np.where(r.rand(n) < 0.4, 0, r.normal(120000, 30000, n)), r.uniform(1e4, 2e5, n)
active, products = r.randint(0, 2, n), r.randint(1, 4, n)
logit = 0.09 * (age - 39) - 1.0 * active + 0.9 * (geo == 2) + 1.0 * (np.abs(products - 2) == 1) - 0.3 + 4e-6 * (balance - 7e4)
exited = (r.rand(n) < 1 / (1 + np.exp(-1.5 * logit))).astype("float32")
table = np.column_stack([geo == 1, geo == 2, age, balance, salary, active, products]).astype("float32")
table = (table - table[:1900].mean(0)) / table[:1900].std(0)
train = TensorDataset(torch.tensor(table[:1900]), torch.tensor(exited[:1900]).unsqueeze(1))


class ANN(nn.Module):
    def __init__(self):
        super().__init__()
        self.h1 = nn.Linear(7, 6)
        self.h2 = nn.Linear(6, 6)
        self.out = nn.Linear(6, 1)

    def forward(self, x):
        return torch.sigmoid(self.out(torch.relu(self.h2(torch.relu(self.h1(x))))))


ann = ANN()
opt = torch.optim.Adam(ann.parameters())
bce = nn.BCELoss()
for epoch in range(20):
    total = 0.0
    for xb, yb in DataLoader(train, batch_size=10, shuffle=True):
        opt.zero_grad()
        loss = bce(ann(xb), yb)
        loss.backward()
        opt.step()
        total += loss.item() * len(xb)
    if epoch % 4 == 3:
        print(f"Epoch {epoch + 1}/20 loss: {total / 1900:.4f}")

with torch.no_grad():
    p = ann(torch.tensor(table[1900:])).numpy()[:, 0] > 0.5
print(f"metric=balanced_accuracy value={balanced_accuracy_score(exited[1900:], p):.4f}")
