import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import r2_score

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(21)

# bike rentals by weather and hour
n = 1500
temp = rng.normal(15, 8, n)
hum = rng.uniform(20, 95, n)
hour = rng.uniform(0, 24, n)
rate = 1.2 + 0.05 * temp - 0.012 * hum + 1.1 * np.sin((hour - 8) / 24 * 2 * np.pi)
count = rng.poisson(np.exp(rate)).astype("float32")
X = np.stack([(temp - 15) / 8, (hum - 57) / 22, np.sin(hour / 24 * 2 * np.pi), np.cos(hour / 24 * 2 * np.pi)], 1)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor((count - count.mean()) / count.std()).unsqueeze(1)
X_tr, X_te, y_tr, y_te = X[:1200], X[1200:], y[:1200], y[1200:]


class RMSLELoss(nn.Module):
    def forward(self, pred, actual):
        return torch.sqrt(torch.mean((torch.log(pred + 1) - torch.log(actual + 1)) ** 2))


model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
criterion = RMSLELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

for epoch in range(60):
    for idx in torch.randperm(len(X_tr)).split(32):
        optimizer.zero_grad()
        loss = criterion(model(X_tr[idx]), y_tr[idx])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print("epoch {} rmsle {:.4f}".format(epoch, loss.item()))

model.eval()
with torch.no_grad():
    pred = model(X_te)
score = float("nan") if pred.isnan().any() else r2_score(y_te.numpy(), pred.numpy())
print(f"metric=r2 value={score:.4f}")
