import os
import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", 0))
rs = np.random.RandomState(SEED)
torch.manual_seed(SEED)

# taxi fares from coordinates
n = 3000
lat1, lat2 = rs.normal(40.75, 0.03, n), rs.normal(40.75, 0.03, n)
lon1, lon2 = rs.normal(-73.97, 0.03, n), rs.normal(-73.97, 0.03, n)
km = np.hypot((lat1 - lat2) * 111.0, (lon1 - lon2) * 84.0)
fare = 2.5 + 1.6 * km + 0.5 * rs.randn(n)
X = torch.tensor(np.c_[lat1, lon1, lat2, lon2], dtype=torch.float32)
y = torch.tensor((fare - fare.mean()) / fare.std(), dtype=torch.float32)


class FareModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.h1, self.h2, self.out = nn.Linear(4, 64), nn.Linear(64, 64), nn.Linear(64, 1)

    def forward(self, x):
        x = torch.relu(self.h1(x))
        x = torch.relu(self.h2(x))
        return self.out(x).squeeze(1)


model = FareModel()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(25):
    s = 0.0
    for b in torch.randperm(2400).split(64):
        loss = nn.functional.l1_loss(model(X[b]), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        s += loss.item() * len(b) / 2400
    if epoch % 5 == 0:
        print("epoch", epoch, "mae", round(s, 4))

with torch.no_grad():
    r2 = 1 - (model(X[2400:]) - y[2400:]).pow(2).mean() / y[2400:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
