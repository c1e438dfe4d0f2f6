import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
np.random.seed(seed)

VOCAB, MAXLEN = 300, 40


def make_reviews(n, rng):
    """token ids; words below 40 are positive, 40..79 negative, the rest neutral"""
    x = rng.integers(80, VOCAB, (n, MAXLEN))
    y = rng.integers(0, 2, n)
    for i in range(n):
        k = rng.integers(3, 8)
        pos = rng.choice(MAXLEN, k, replace=False)
        x[i, pos] = rng.integers(0, 40, k) + (0 if y[i] else 40)
    return torch.as_tensor(x), torch.as_tensor(y, dtype=torch.float32)


rng = np.random.default_rng(31)
x_train, y_train = make_reviews(1500, rng)
x_test, y_test = make_reviews(500, rng)


class TextCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, 24)
        self.conv = nn.Conv1d(24, 32, 3)
        self.dense = nn.Linear(32, 32)
        self.out = nn.Linear(32, 1)

    def forward(self, tokens):
        e = self.embedding(tokens).transpose(1, 2)
        h = F.relu(self.conv(e)).max(dim=2).values
        return self.out(F.relu(self.dense(h))).squeeze(1)


model = TextCNN()
optimizer = torch.optim.Adam(model.parameters(), lr=0.5)
for epoch in range(8):
    model.train()
    total = 0
    for b in torch.randperm(len(x_train)).split(32):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x_train[b]), y_train[b])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(b)
    print(f"Epoch {epoch + 1}: loss={total / len(x_train):.4f}")

model.eval()
with torch.no_grad():
    acc = ((model(x_test) > 0) == (y_test > 0.5)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
