import os
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import OneCycleLR

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


@dataclass
class Config:
    vocab: int = 16
    seq_len: int = 10
    d_model: int = 40
    heads: int = 4
    layers: int = 3
    batch: int = 48
    steps: int = 350
    lr: float = 5e-4
    max_lr: float = 3e-3
    weight_decay: float = 0.01


cfg = Config()


class Tagger(nn.Module):
    """Predict the reversed sequence, one label for each position."""

    def __init__(self, c):
        super().__init__()
        self.tok = nn.Embedding(c.vocab, c.d_model)
        self.pos = nn.Embedding(c.seq_len, c.d_model)
        block = nn.TransformerEncoderLayer(
            c.d_model, c.heads, dim_feedforward=4 * c.d_model, dropout=0.0, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(block, c.layers)
        self.lm_head = nn.Linear(c.d_model, c.vocab)

    def forward(self, ids):
        h = self.tok(ids) + self.pos(torch.arange(ids.size(1), device=ids.device))
        return self.lm_head(self.encoder(h))


def get_batch(n):
    ids = torch.randint(0, cfg.vocab, (n, cfg.seq_len))
    return ids, ids.flip(1)


model = Tagger(cfg)
optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.lr, weight_decay=cfg.weight_decay)
scheduler = OneCycleLR(optimizer, max_lr=cfg.max_lr, total_steps=cfg.steps, pct_start=0.2)
loss_fn = nn.CrossEntropyLoss()

model.train()
for step in range(cfg.steps):
    ids, labels = get_batch(cfg.batch)
    logits = model(ids)
    loss = loss_fn(logits.reshape(-1, cfg.vocab), labels.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    if step % 50 == 0:
        print(f"step {step:4d} | loss {loss.item():.4f} | lr {scheduler.get_last_lr()[0]:.2e}")

model.eval()
with torch.no_grad():
    ids, labels = get_batch(500)
    acc = (model(ids).argmax(-1) == labels).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
