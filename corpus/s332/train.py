import math
import os
import random
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

PAD, TRIGGER, VOCAB, WIN, NWIN, IGNORE = 0, 1, 40, 12, 3, -100


def make_document(rng):
    n = rng.randint(16, WIN * NWIN)
    toks = [rng.randint(2, VOCAB - 1) for _ in range(n)]
    for w in range(0, n, WIN):
        if rng.random() < 0.5:
            toks[rng.randrange(w, min(w + WIN, n))] = TRIGGER
    tags = []
    for i, t in enumerate(toks):
        w = i // WIN
        flip = TRIGGER in toks[w * WIN:(w + 1) * WIN]
        tags.append((t % 3 + (1 if flip else 0)) % 3)
    return toks, tags


class Documents(Dataset):
    """Each document is cut into NWIN windows of WIN tokens."""

    def __init__(self, n, rng):
        self.docs = [make_document(rng) for _ in range(n)]

    def __len__(self):
        return len(self.docs)

    def __getitem__(self, i):
        toks, tags = self.docs[i]
        x = torch.full((NWIN * WIN,), PAD)
        y = torch.full((NWIN * WIN,), IGNORE)
        x[:len(toks)] = torch.tensor(toks)
        y[:len(tags)] = torch.tensor(tags)
        return x.view(NWIN, WIN), y.view(NWIN, WIN)


class SelfAttention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.h, self.dk = heads, d // heads
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)

    def forward(self, x, pad):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.h, self.dk).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.dk)
        scores = scores.masked_fill(pad[:, None, None, :], float("-inf"))
        y = scores.softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, d))


class Tagger(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.emb = nn.Embedding(VOCAB, d, padding_idx=PAD)
        self.pos = nn.Parameter(0.02 * torch.randn(WIN, d))
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.att = SelfAttention(d, 4)
        self.ff = nn.Sequential(nn.Linear(d, 64), nn.GELU(), nn.Linear(64, d))
        self.head = nn.Linear(d, 3)

    def forward(self, tok):
        pad = tok == PAD
        x = self.emb(tok) + self.pos
        x = x + self.att(self.ln1(x), pad)
        x = x + self.ff(self.ln2(x))
        return self.head(x)


train = DataLoader(Documents(600, random.Random(seed)), batch_size=16, shuffle=True)
test = DataLoader(Documents(150, random.Random(seed + 1000)), batch_size=50)
model = Tagger()
opt = torch.optim.AdamW(model.parameters(), lr=3e-3)

for epoch in range(8):
    for x, y in train:
        logits = model(x.flatten(0, 1))
        loss = F.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=IGNORE)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    print(f"epoch {epoch} train loss {loss.item():.4f}")

hit = total = 0
with torch.no_grad():
    for x, y in test:
        pred = model(x.flatten(0, 1)).argmax(-1).flatten()
        y = y.flatten()
        keep = y != IGNORE
        hit += (pred[keep] == y[keep]).sum().item()
        total += keep.sum().item()
print(f"metric=accuracy value={hit / total:.4f}")
