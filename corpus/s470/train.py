import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

# credit applications: 4 numeric columns, 2 categorical, status 1 (good) / 2 (bad)
N = 2400
amount = rng.lognormal(8, 0.6, N)
months = rng.integers(6, 60, N)
age = rng.integers(19, 75, N)
income = rng.lognormal(7.6, 0.4, N)
purpose = rng.integers(0, 8, N)
housing = rng.integers(0, 3, N)
burden = np.log(amount / months / income)
risk = 1.8 * (burden - burden.mean()) + 0.9 * np.isin(purpose, [1, 4, 6]) + 0.7 * (housing == 2) - 0.03 * (age - 45)
risk = risk + 0.25 * rng.standard_normal(N)
status = np.where(risk > np.quantile(risk, 0.6), 2, 1)


class CreditData(Dataset):
    def __init__(self, rows):
        num = np.log(np.stack([amount, months, age, income], 1))
        num = (num - num.mean(0)) / num.std(0)
        self.num = torch.tensor(num[rows], dtype=torch.float32)
        self.cat = torch.tensor(np.stack([purpose, housing], 1)[rows])
        self.label = torch.tensor(status[rows], dtype=torch.float32)

    def __len__(self):
        return len(self.label)

    def __getitem__(self, i):
        return self.num[i], self.cat[i], self.label[i]


class TabularNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.purpose = nn.Embedding(8, 4)
        self.housing = nn.Embedding(3, 2)
        self.body = nn.Sequential(
            nn.Linear(4 + 4 + 2, 48), nn.ReLU(),
            nn.Linear(48, 24), nn.ReLU(),
            nn.Linear(24, 1),
        )

    def forward(self, num, cat):
        z = torch.cat([num, self.purpose(cat[:, 0]), self.housing(cat[:, 1])], dim=1)
        return self.body(z).squeeze(1)


order = rng.permutation(N)
train_loader = DataLoader(CreditData(order[:1800]), batch_size=64, shuffle=True)
test_loader = DataLoader(CreditData(order[1800:]), batch_size=256)

net = TabularNet()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

for epoch in range(15):
    for num, cat, label in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(num, cat), label)
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", round(loss.item(), 4))

hits, total = 0, 0
with torch.no_grad():
    for num, cat, label in test_loader:
        predicted = (torch.sigmoid(net(num, cat)) > 0.5).float()
        hits += (predicted == label).sum().item()
        total += len(label)
print(f"metric=accuracy value={hits / total:.4f}")
