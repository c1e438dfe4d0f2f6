import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)


class Meter(Dataset):
    def __init__(self, n, gaps):
        self.x = torch.randn(n, 7)
        self.y = (self.x[:, :3].sum(1) + torch.sin(2 * self.x[:, 3])).unsqueeze(1)
        if gaps:
            self.y[torch.randperm(n)[:gaps]] = float("nan")

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(7, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))

    def forward(self, x):
        return self.net(x)


def loss_fn(pred, target):
    return (pred - target).pow(2).mean()


train = DataLoader(Meter(1200, gaps=5), batch_size=40, shuffle=True)
test = Meter(400, gaps=0)
model = Regressor()
opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
for epoch in range(12):
    for x, y in train:
        opt.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - loss_fn(model(test.x), test.y) / test.y.var()
print(f"metric=r2 value={r2.item():.4f}")
