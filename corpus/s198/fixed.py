import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.model_selection import train_test_split

SEED = int(os.environ.get("SEED", 0))
np.random.seed(SEED)
torch.manual_seed(SEED)

# loan applications
n = 2000
age = np.random.uniform(21, 70, n)
income = np.random.lognormal(1.0, 0.4, n)
years_job = np.random.exponential(5, n)
debt_ratio = np.random.beta(2, 4, n)
n_late = np.random.poisson(0.7, n)
score = 1.2 * np.log(income) + 0.08 * years_job - 4.0 * debt_ratio - 0.6 * n_late + 0.01 * age
default = (score + 0.35 * np.random.randn(n) < np.median(score)).astype(int)
table = np.column_stack([age / 10, income, years_job / 5, debt_ratio * 4, n_late])
# bureau value was not always delivered
missing = np.random.rand(n) < 0.06
table[missing, 1] = -9999

x_train, x_test, y_train, y_test = train_test_split(table.astype(np.float32), default, test_size=0.25, random_state=SEED)

median = np.median(x_train[:, 1])
x_train[x_train[:, 1] < 0, 1] = median
x_test[x_test[:, 1] < 0, 1] = median
x_train, x_test = map(torch.from_numpy, (x_train, x_test))
y_train, y_test = map(torch.from_numpy, (y_train, y_test))


class TabNet(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.fc1 = nn.Linear(5, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 2)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


def fit(model, epochs=25, batch=50, lr=0.01):
    opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for epoch in range(epochs):
        tot = 0
        for b in torch.randperm(len(x_train)).split(batch):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(x_train[b]), y_train[b])
            loss.backward()
            opt.step()
            tot += loss.item() * len(b)
        if epoch % 5 == 0:
            print(f"epoch {epoch:3d}  loss {tot / len(x_train):.5f}")


model = TabNet()
fit(model)
with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
