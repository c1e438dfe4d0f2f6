import math
import os

import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

DIM, MAX_ITEMS = 6, 12


def make_baskets(n):
    direction = np.array([1.0, -0.5, 0.8, 0.0, 0.3, -0.2])
    items = np.zeros((n, MAX_ITEMS, DIM), dtype=np.float32)
    mask = np.zeros((n, MAX_ITEMS), dtype=bool)
    label = np.zeros(n, dtype=np.float32)
    for i in range(n):
        k = min(rng.poisson(4), MAX_ITEMS)
        items[i, :k] = rng.normal(size=(k, DIM))
        mask[i, :k] = True
        score = items[i, :k] @ direction
        label[i] = float(k > 0 and score.max() > 1.5)
    return torch.from_numpy(items), torch.from_numpy(mask), torch.from_numpy(label)


class AttentionPool(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(DIM, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.query = nn.Parameter(torch.randn(hidden) / math.sqrt(hidden))
        self.key = nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, 1)

    def forward(self, items, mask):
        h = self.embed(items)
        scores = self.key(h) @ self.query / math.sqrt(h.size(-1))
        scores = scores.masked_fill(~mask, -1e4)
        alpha = torch.softmax(scores, dim=1)
        pooled = (alpha.unsqueeze(-1) * h).sum(1)
        return self.head(pooled).squeeze(-1)


items, mask, label = make_baskets(2400)
train, test = slice(0, 1800), slice(1800, None)
model = AttentionPool()
opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
bce = nn.BCEWithLogitsLoss()
for epoch in range(25):
    total = 0.0
    for idx in torch.randperm(1800).split(50):
        opt.zero_grad()
        loss = bce(model(items[idx], mask[idx]), label[idx])
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} loss {total / 1800:.4f}")

with torch.no_grad():
    pred = model(items[test], mask[test]) > 0
    acc = (pred == (label[test] > 0.5)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
