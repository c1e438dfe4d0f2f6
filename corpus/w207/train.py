import os

import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

VOCAB, TOPICS, MAX_LEN = 5000, 4, 30
zipf = 1 / np.arange(1, VOCAB) ** 1.1
affinity = rng.gamma(0.15, 1.0, (TOPICS, VOCAB - 1))
topic_words = affinity * zipf
topic_words /= topic_words.sum(1, keepdims=True)


def documents(n):
    labels = rng.integers(0, TOPICS, n)
    ids = np.zeros((n, MAX_LEN), dtype=np.int64)
    for i, c in enumerate(labels):
        k = rng.integers(8, MAX_LEN + 1)
        ids[i, :k] = 1 + rng.choice(VOCAB - 1, size=k, p=topic_words[c])
    return torch.tensor(ids), torch.tensor(labels)


class TextModel(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.words = nn.Embedding(VOCAB, dim, padding_idx=0, sparse=True)
        self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 32), nn.GELU(), nn.Linear(32, TOPICS))

    def forward(self, ids):
        mask = (ids > 0).unsqueeze(-1).float()
        mean = (self.words(ids) * mask).sum(1) / mask.sum(1)
        return self.mlp(mean)


x_train, y_train = documents(2000)
x_test, y_test = documents(600)
model = TextModel()
sparse_opt = torch.optim.SparseAdam(list(model.words.parameters()), lr=5e-3)
dense_opt = torch.optim.AdamW(model.mlp.parameters(), lr=1e-3, weight_decay=0.01)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(6):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(x_train)).split(40):
        sparse_opt.zero_grad()
        dense_opt.zero_grad()
        loss = loss_fn(model(x_train[idx]), y_train[idx])
        loss.backward()
        sparse_opt.step()
        dense_opt.step()
        total += loss.item() * len(idx)
    print(f"epoch {epoch} loss {total / len(x_train):.4f}")

print("words never seen:", VOCAB - 1 - len(x_train.unique()))
model.eval()
with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
