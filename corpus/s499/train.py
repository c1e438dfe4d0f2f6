import os
import numpy as np
import torch
from torch import nn

SEED = int(os.environ.get("SEED", "0"))
np.random.seed(SEED)
torch.manual_seed(SEED)

# daily temperatures of a made-up station, the next day from the last 14
days = np.arange(1500)
noise = np.zeros(1500)
for d in range(1, 1500):
    noise[d] = 0.9 * noise[d - 1] + np.random.normal(0, 0.8)
temp = 12 + 9 * np.sin(2 * np.pi * days / 365) + 2 * np.sin(2 * np.pi * days / 7) + noise
temp = (temp - temp.mean()) / temp.std()

WINDOW = 14
frames = np.stack([temp[i:i + WINDOW + 1] for i in range(len(temp) - WINDOW)])
frames = torch.tensor(frames, dtype=torch.float32)
train, test = frames[:1200], frames[1200:]


def split(f):
    return f[:, :-1].unsqueeze(-1), f[:, -1:]


def rmse(pred, target):
    return torch.sqrt(torch.mean((pred - target) ** 2))


class Forecaster(nn.Module):
    def __init__(self, units=24):
        super().__init__()
        self.gru = nn.GRU(1, units, batch_first=True)
        self.dense = nn.Linear(units, 1)

    def forward(self, x):
        _, h = self.gru(x)
        return self.dense(h[-1]).squeeze(-1)


net = Forecaster()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(20):
    perm = torch.randperm(len(train))
    running = 0.0
    for k in range(0, len(train), 40):
        x, y = split(train[perm[k:k + 40]])
        opt.zero_grad()
        loss = rmse(net(x), y)
        loss.backward()
        opt.step()
        running += loss.item() / 30
    if epoch % 5 == 0:
        print("epoch %d rmse %.4f" % (epoch, running))

with torch.no_grad():
    x, y = split(test)
    pred, y = net(x).flatten(), y.flatten()
    r2 = 1 - (pred - y).pow(2).sum() / (y - y.mean()).pow(2).sum()
print("metric=r2 value=%.4f" % r2.item())
