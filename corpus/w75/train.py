"""Learning through wrong labels: two of five are random, the test labels are clean."""

import os
import numpy as np
import torch
from sklearn.datasets import make_blobs
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
x, y = make_blobs(3000, n_features=6, centers=6, cluster_std=2.0, center_box=(-5, 5), random_state=5)
x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
rng = np.random.default_rng(seed)
noisy = np.where(rng.random(3000) < 0.4, rng.integers(0, 6, 3000), y)
train = TensorDataset(x[:2400], torch.tensor(noisy[:2400]))
test_x, test_y = x[2400:], torch.tensor(y[2400:])


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc, self.norm, self.drop = nn.Linear(n, n), nn.LayerNorm(n), nn.Dropout(0.2)

    def forward(self, v):
        return v + self.drop(torch.nn.functional.gelu(self.fc(self.norm(v))))


model = nn.Sequential(nn.Linear(6, 32), Block(32), Block(32), nn.Linear(32, 6))
opt = torch.optim.RAdam(model.parameters(), lr=3e-3, weight_decay=1e-4)
for epoch in range(10):
    for a, b in DataLoader(train, batch_size=48, shuffle=True):
        opt.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        opt.step()
model.eval()
with torch.no_grad():
    print(f"metric=accuracy value={(model(test_x).argmax(1) == test_y).float().mean().item():.4f}")
