"""Bike-hire style hourly counts, Poisson regression with a small network."""
import os
import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
torch.set_num_threads(1)
rs = np.random.RandomState(seed)

n = 3000
hour = rs.randint(0, 24, n)
temp = rs.uniform(-5, 32, n)
weekend = rs.binomial(1, 2 / 7, n)
wind = rs.gamma(2.0, 2.0, n)
eta = (1.5 + 1.1 * np.sin((hour - 8) / 24 * 2 * np.pi) + 0.035 * temp
       - 0.5 * weekend * np.cos(hour / 24 * 2 * np.pi) - 0.06 * wind)
hires = rs.poisson(np.exp(eta))

feats = np.stack([np.sin(hour / 24 * 2 * np.pi), np.cos(hour / 24 * 2 * np.pi),
                  (temp - temp.mean()) / temp.std(), weekend, (wind - wind.mean()) / wind.std()], 1)
X = torch.as_tensor(feats, dtype=torch.float32)
y = torch.as_tensor(hires, dtype=torch.float32)
Xtr, ytr, Xte, yte = X[:2200], y[:2200], X[2200:], y[2200:]


class CountModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU())
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        return nn.functional.softplus(self.head(self.body(x))).squeeze(-1)  # expected count


model = CountModel()
criterion = nn.PoissonNLLLoss(log_input=False)
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for epoch in range(60):
    model.train()
    running = []
    for idx in torch.randperm(len(Xtr)).split(128):
        optimizer.zero_grad()
        loss = criterion(model(Xtr[idx]), ytr[idx])
        loss.backward()
        optimizer.step()
        running.append(loss.item())
    if epoch % 10 == 0:
        print(f"epoch {epoch} nll {np.mean(running):.3f}")

model.eval()
with torch.no_grad():
    mean = model(Xte)
r2 = 1 - ((yte - mean) ** 2).sum() / ((yte - yte.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
