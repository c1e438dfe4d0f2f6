import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
np.random.seed(seed)


class BikeRentals(Dataset):
    def __init__(self, n):
        hour = np.random.randint(0, 24, n)
        temp = np.random.normal(15, 8, n)
        humid = np.random.uniform(20, 100, n)
        wind = np.random.gamma(2, 6, n)
        work = np.random.randint(0, 2, n)
        rate = (2.0 + np.exp(-0.5 * ((hour - 8) / 1.5) ** 2) * work * 2 + np.exp(-0.5 * ((hour - 17.5) / 2) ** 2) * 2
                + 0.05 * temp - 0.01 * humid - 0.02 * wind)
        y = rate + 0.3 * np.random.randn(n)
        feats = np.column_stack([np.eye(24)[hour], (temp - 15) / 8, (humid - 60) / 23, (wind - 12) / 8, work - 0.5])
        self.x = torch.tensor(feats, dtype=torch.float32)
        self.y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


train, test = BikeRentals(1500), BikeRentals(500)
loader = DataLoader(train, batch_size=64, shuffle=True)
model = nn.Sequential(
    nn.Linear(28, 64), nn.LayerNorm(64), nn.SiLU(),
    nn.Linear(64, 64), nn.LayerNorm(64), nn.SiLU(),
    nn.Linear(64, 1), nn.Flatten(0),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
for epoch in range(20):
    model.train()
    s = 0.0
    for x, y in loader:
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        s += loss.item()
    if epoch % 4 == 0:
        print(f"epoch={epoch} train_mse={s / len(loader):.4f}")

model.eval()
with torch.no_grad():
    r2 = 1 - (model(test.x) - test.y).square().mean() / test.y.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
