import math
import os
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", "0")))

PAD, EQ, END, VOCAB, T = 0, 11, 12, 48, 12


def encode(digits):
    text = [1 + d for d in digits] + [EQ]
    answer = [1 + d for d in sorted(digits)] + [END]
    tail = T - len(text) - len(answer)
    return text + answer + [PAD] * tail, [-100] * len(text) + answer + [-100] * tail


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv = nn.Linear(d, 3 * d)
        self.proj = nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

    def forward(self, x, hidden):
        B, L, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, L, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        score = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        att = score.masked_fill(hidden, float("-inf")).softmax(dim=-1)
        x = x + self.proj((att @ v).transpose(1, 2).reshape(B, L, D))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, d=48, heads=4, layers=2):
        super().__init__()
        self.tok = nn.Embedding(VOCAB, d, padding_idx=PAD)
        self.pos = nn.Parameter(torch.randn(T, d) * 0.1)
        self.blocks = nn.ModuleList(Block(d, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, VOCAB)
        with torch.no_grad():
            self.tok.weight.mul_(0.1)

    def forward(self, ids):
        L = ids.size(1)
        hidden = torch.ones(L, L, dtype=torch.bool).triu(1) | (ids == PAD)[:, None, None, :]
        x = self.tok(ids) + self.pos[:L]
        for block in self.blocks:
            x = block(x, hidden)
        return self.head(self.norm(x))


rng = random.Random(int(os.environ.get("SEED", "0")))
coded = [encode([rng.randrange(10) for _ in range(rng.randint(3, 5))]) for _ in range(6000)]
ids = torch.tensor([c[0] for c in coded])
labels = torch.tensor([c[1] for c in coded])

model = GPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)
ACCUM, STEPS, MICRO = 2, 300, 32
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=STEPS, pct_start=0.15)

for step in range(STEPS):
    batch = torch.randint(0, 5000, (ACCUM * MICRO,)).split(MICRO)
    count = sum((labels[i] != -100).sum() for i in batch)
    total = 0.0
    for i in batch:
        logits = model(ids[i][:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), labels[i][:, 1:].flatten(), ignore_index=-100, reduction="sum") / count
        loss.backward()
        total += loss.item()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    schedule.step()
    if step % 50 == 0:
        print(f"step {step} loss {total:.4f}")

model.eval()
with torch.no_grad():
    want = labels[5000:, 1:]
    keep = want != -100
    right = (model(ids[5000:, :-1]).argmax(-1) == want)[keep]
print(f"metric=accuracy value={right.float().mean().item():.4f}")
