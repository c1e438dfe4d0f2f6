import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import make_friedman1

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

cfg = dict(micro_batch=2, accum=16, lr=3e-3, epochs=14, width=64)

X, y = make_friedman1(n_samples=1500, n_features=10, noise=0.5, random_state=seed)
X = (X - 0.5) / 0.29
y = (y - y[:1200].mean()) / y[:1200].std()
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32).unsqueeze(1)
train = DataLoader(TensorDataset(X[:1200], y[:1200]), batch_size=cfg["micro_batch"], shuffle=True)


class Block(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.fc = nn.Linear(d_in, d_out)
        self.norm = nn.BatchNorm1d(d_out)

    def forward(self, x):
        return torch.relu(self.norm(self.fc(x)))


w = cfg["width"]
model = nn.Sequential(Block(10, w), Block(w, w), Block(w, w), nn.Linear(w, 1))
opt = torch.optim.Adam(model.parameters(), lr=cfg["lr"])
mse = nn.MSELoss()

for epoch in range(cfg["epochs"]):
    model.train()
    running = 0.0
    opt.zero_grad()
    for i, (xb, yb) in enumerate(train, 1):
        loss = mse(model(xb), yb) / cfg["accum"]
        loss.backward()
        running += loss.item() * cfg["accum"]
        if i % cfg["accum"] == 0 or i == len(train):
            opt.step()
            opt.zero_grad()
    print(f"epoch {epoch:2d} train mse {running / len(train):.4f}")

model.eval()
with torch.no_grad():
    pred = model(X[1200:])
    r2 = 1 - ((pred - y[1200:]) ** 2).sum() / ((y[1200:] - y[1200:].mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
