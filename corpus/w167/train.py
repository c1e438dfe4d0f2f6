import os
import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

VOCAB, LENGTH, PAD = 3000, 32, 0
good, bad, neutral = np.arange(10, 40), np.arange(40, 70), np.arange(70, 370)


def reviews(n):
    tokens, label = np.zeros((n, LENGTH), dtype=np.int64), np.zeros(n, dtype=np.int64)
    for i in range(n):
        length = rng.integers(16, LENGTH + 1)
        label[i] = rng.integers(2)
        share = 0.32 if label[i] else 0.06
        u = rng.random(length)
        words = rng.choice(neutral, length)
        words = np.where(u < share, rng.choice(good, length), words)
        words = np.where(u > 1 - (0.38 - share), rng.choice(bad, length), words)
        tokens[i, :length] = words
    return torch.from_numpy(tokens), torch.from_numpy(label)


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn = nn.MultiheadAttention(d, heads, dropout=0.1, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * d, d))

    def forward(self, x, pad):
        h = self.n1(x)
        x = x + self.attn(h, h, h, key_padding_mask=pad, need_weights=False)[0]
        return x + self.mlp(self.n2(x))


class Sentiment(nn.Module):
    def __init__(self, d=32, heads=4, depth=2):
        super().__init__()
        self.words = nn.Embedding(VOCAB, d, padding_idx=PAD)
        self.places = nn.Parameter(0.02 * torch.randn(LENGTH, d))
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, 2)

    def forward(self, tokens):
        pad = tokens == PAD
        x = self.words(tokens) + self.places
        for block in self.blocks:
            x = block(x, pad)
        keep = (~pad).unsqueeze(-1).float()
        return self.head((self.norm(x) * keep).sum(1) / keep.sum(1))


x_train, y_train = reviews(3600)
x_test, y_test = reviews(600)
model = Sentiment()
opt = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
ACCUMULATE, EPOCHS, MICRO = 4, 4, 16
total = EPOCHS * (3600 // (MICRO * ACCUMULATE))
warm = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1.0, (s + 1) / 30) * (1 - 0.9 * s / total))

for epoch in range(EPOCHS):
    model.train()
    chunks = torch.randperm(3600)[:total // EPOCHS * MICRO * ACCUMULATE].split(MICRO)
    for i, idx in enumerate(chunks):
        loss = nn.functional.cross_entropy(model(x_train[idx]), y_train[idx])
        (loss / ACCUMULATE).backward()
        if (i + 1) % ACCUMULATE == 0:
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            opt.step()
            opt.zero_grad()
            warm.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
