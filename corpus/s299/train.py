import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
PAD, VOCAB, T = 0, 30, 12


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.g = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        rms = x.pow(2).mean(dim=-1, keepdim=True).sqrt()
        return self.g * x / (rms + self.eps)


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(dim), RMSNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim, bias=False)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim, bias=False), nn.SiLU(), nn.Linear(2 * dim, dim, bias=False))

    def forward(self, x, mask):
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
        return x + self.mlp(self.norm2(x))


class Tagger(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.tok = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.up = nn.Linear(dim, dim, bias=False)
        self.blocks = nn.ModuleList([Block(dim) for _ in range(2)])
        self.head = nn.Linear(dim, 2)

    def forward(self, ids):
        mask = (ids != PAD)[:, None, :]
        x = self.up(self.tok(ids))
        for b in self.blocks:
            x = b(x, mask)
        keep = (ids != PAD).unsqueeze(-1)
        return self.head((x * keep).sum(1) / keep.sum(1))


def batch(n):
    ids = torch.randint(1, VOCAB, (n, T))
    length = torch.randint(5, T + 1, (n, 1))
    ids = ids.masked_fill(torch.arange(T) >= length, PAD)
    small = ((ids > 0) & (ids < 15)).sum(1)
    big = (ids >= 15).sum(1)
    return ids, (small > big).long()


model = Tagger()
opt = torch.optim.AdamW(model.parameters(), lr=2e-3)
for step in range(250):
    ids, label = batch(64)
    loss = F.cross_entropy(model(ids), label)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(step, loss.item())

ids, label = batch(1000)
with torch.no_grad():
    acc = (model(ids).argmax(1) == label).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
