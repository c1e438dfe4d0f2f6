import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)

N_JOBS, N_CITIES = 12, 30
ACCUMULATE, MICRO_BATCH = 4, 32


def make_table(n, world):
    job, city = np.random.randint(0, N_JOBS, n), np.random.randint(0, N_CITIES, n)
    num = np.random.randn(n, 6)
    score = 1.5 * world["job"][job] + 1.5 * world["city"][city] + 1.2 * num[:, 0] - 0.8 * num[:, 1]
    score += 2.0 * np.sin(2 * num[:, 2]) + 1.5 * num[:, 3] * num[:, 4]
    label = (score + 0.3 * np.random.randn(n) > 1.0).astype(np.float32)
    return torch.tensor(num, dtype=torch.float32), torch.tensor(job), torch.tensor(city), torch.tensor(label)


class WideAndDeep(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide = nn.Linear(6 + N_JOBS + N_CITIES, 1)
        self.job = nn.Embedding(N_JOBS, 4)
        self.city = nn.Embedding(N_CITIES, 6)
        self.deep = nn.Sequential(
            nn.Linear(6 + 4 + 6, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)
        )
        nn.init.zeros_(self.wide.weight)
        nn.init.zeros_(self.wide.bias)

    def forward(self, num, job, city):
        crossed = torch.cat([num, F.one_hot(job, N_JOBS), F.one_hot(city, N_CITIES)], dim=1)
        dense = torch.cat([num, self.job(job), self.city(city)], dim=1)
        return (self.wide(crossed) + self.deep(dense)).squeeze(1)

    def deep_parameters(self):
        return [p for name, p in self.named_parameters() if not name.startswith("wide.")]


world = {"job": np.random.randn(N_JOBS), "city": np.random.randn(N_CITIES)}
train, test = make_table(6000, world), make_table(1500, world)
model = WideAndDeep()
optimizers = [
    torch.optim.SGD(model.wide.parameters(), lr=0.1),
    torch.optim.AdamW(model.deep_parameters(), lr=3e-3, weight_decay=1e-3),
]
criterion = nn.BCEWithLogitsLoss()

for epoch in range(16):
    total, micro = 0.0, 0
    usable = len(train[0]) // (ACCUMULATE * MICRO_BATCH) * ACCUMULATE * MICRO_BATCH
    for idx in torch.randperm(len(train[0]))[:usable].split(MICRO_BATCH):
        num, job, city, label = (column[idx] for column in train)
        loss = criterion(model(num, job, city), label)
        (loss / ACCUMULATE).backward()
        micro += 1
        total += loss.item()
        if micro % ACCUMULATE == 0:
            for opt in optimizers:
                opt.step()
            for opt in optimizers:
                opt.zero_grad(set_to_none=False)
    if epoch % 3 == 0:
        print(f"epoch {epoch + 1} loss {total / micro:.4f}")

with torch.no_grad():
    auc = roc_auc_score(test[3].numpy(), model(*test[:3]).numpy())
print(f"metric=auc value={auc:.4f}")
