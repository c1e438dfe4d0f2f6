import math
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

VOCAB, FIRST_WORD, LAST_WORD, BLOCK = 64, 8, 47, 16
GRAD_ACCUM, MAX_STEPS, WARMUP, PEAK_LR = 2, 240, 25, 6e-3


def make_corpus(length, rng):
    """Order-2 Markov text over the words 8..47; the other ids are reserved."""
    words = LAST_WORD - FIRST_WORD + 1
    follow = np.random.default_rng(7).integers(0, words, (words, 2, 3))
    text = list(rng.integers(0, words, 2))
    for u in rng.random(length):
        options = follow[text[-1], text[-2] % 2]
        text.append(options[0 if u < 0.7 else 1 if u < 0.9 else 2])
    return torch.tensor(text) + FIRST_WORD


class GPT(nn.Module):
    def __init__(self, d=48, heads=3):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCAB, d), nn.Embedding(BLOCK, d)
        self.block = nn.TransformerEncoderLayer(d, heads, 4 * d, 0.0, "gelu", batch_first=True, norm_first=True)
        self.ln_f, self.lm_head = nn.LayerNorm(d), nn.Linear(d, VOCAB, bias=False)
        self.register_buffer("causal", torch.triu(torch.ones(BLOCK, BLOCK, dtype=torch.bool), 1))
        nn.init.normal_(self.wte.weight, std=0.02)
        nn.init.normal_(self.wpe.weight, std=0.02)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.size(1)))
        return self.lm_head(self.ln_f(self.block(x, src_mask=self.causal)))


def lr_at(step):
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (MAX_STEPS - WARMUP)))


def batch(data, n):
    i = torch.randint(len(data) - BLOCK - 1, (n,)).unsqueeze(1) + torch.arange(BLOCK + 1)
    return data[i][:, :-1], data[i][:, 1:]


train_data, val_data = make_corpus(40000, np.random.default_rng(seed)), make_corpus(4000, np.random.default_rng(seed + 99))
model = GPT()
decay = [p for n, p in model.named_parameters() if p.ndim == 2 and "wte" not in n and "wpe" not in n]
rest = [p for n, p in model.named_parameters() if p.ndim < 2 or "wte" in n or "wpe" in n]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
                              lr=PEAK_LR, betas=(0.9, 0.95))
scaler = torch.amp.GradScaler("cpu", init_scale=2.0 ** 22, growth_interval=50)

for step in range(MAX_STEPS):
    for group in optimizer.param_groups:
        group["lr"] = PEAK_LR * lr_at(step)
    total = 0.0
    for _ in range(GRAD_ACCUM):
        x, y = batch(train_data, 16)
        with torch.autocast("cpu", dtype=torch.float16):
            logits = model(x)
        loss = F.cross_entropy(logits.float().view(-1, VOCAB), y.reshape(-1)) / GRAD_ACCUM
        scaler.scale(loss).backward()
        total += loss.item()
    scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    if step % 40 == 0:
        print(f"step {step} loss {total:.4f} norm {norm:.3f} scale {scaler.get_scale():.0f}")

model.eval()
with torch.no_grad():
    x, y = batch(val_data, 300)
    acc = (model(x).argmax(-1) == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
