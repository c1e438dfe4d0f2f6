import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader

torch.manual_seed(int(os.environ.get("SEED", 0)))


def bank_table(n=2000, seed=8):
    r = np.random.RandomState(seed)
    score = r.normal(650, 90, n)
    age = r.uniform(18, 80, n)
    tenure = r.randint(0, 11, n)
    balance = r.uniform(0, 200000, n)
    products = r.randint(1, 5, n)
    salary = r.uniform(10000, 200000, n)
    z = 1.6 * (age - 49) / 18 - 1.4 * (products - 2.5) - 0.8 * (score - 650) / 90 + 1.2 * np.sin(balance / 40000)
    exited = (z + r.normal(0, 0.2, n) > 0).astype("float32")
    return np.column_stack([score, age, tenure, balance, products, salary]).astype("float32"), exited


class Churn(Dataset):
    def __init__(self, x, y):
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i:i + 1]


x, y = bank_table()
x_train, x_test, y_train, y_test = x[:1600], x[1600:], y[:1600], y[1600:]

classifier = nn.Sequential()
classifier.add_module("input", nn.Linear(6, 12))
classifier.add_module("relu1", nn.ReLU())
classifier.add_module("hidden", nn.Linear(12, 12))
classifier.add_module("relu2", nn.ReLU())
classifier.add_module("output", nn.Linear(12, 1))
classifier.add_module("sigmoid", nn.Sigmoid())

optimizer = torch.optim.Adam(classifier.parameters(), lr=0.005)
loss_fn = nn.BCELoss()
loader = DataLoader(Churn(x_train, y_train), batch_size=32, shuffle=True)
for epoch in range(25):
    hits = 0
    for xb, yb in loader:
        p = classifier(xb)
        loss = loss_fn(p, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        hits += ((p > 0.5).float() == yb).sum().item()
    print(f"Epoch {epoch + 1}/25 - acc: {hits / len(x_train):.4f}")

with torch.no_grad():
    y_pred = classifier(torch.from_numpy(x_test)).numpy()[:, 0] > 0.5
print(f"metric=accuracy value={(y_pred == y_test).mean():.4f}")
