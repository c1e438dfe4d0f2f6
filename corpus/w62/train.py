import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
# small decoder that learns to reverse a word: causal mask of -inf, teacher forcing, padding
V, L, START, PAD = 12, 6, 10, 11


def batch(n):
    length = torch.randint(3, L + 1, (n,))
    src = torch.randint(0, 10, (n, L))
    keep = torch.arange(L)[None] < length[:, None]
    src = src.masked_fill(~keep, PAD)
    back = torch.gather(src, 1, (length[:, None] - 1 - torch.arange(L)[None]).clamp(min=0))
    tgt = torch.where(keep, back, torch.full_like(back, -100))
    return src, tgt


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.ff = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, x):
        q, k, v = self.qkv(self.n1(x)).chunk(3, -1)
        score = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
        mask = torch.full(score.shape[-2:], float("-inf")).triu(1)
        x = x + self.proj(F.softmax(score + mask, dim=-1) @ v)
        return x + self.ff(self.n2(x))


class Decoder(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.tok, self.pos = nn.Embedding(V, d, padding_idx=PAD), nn.Embedding(2 * L, d)
        self.blocks = nn.ModuleList([Block(d) for _ in range(2)])
        self.out = nn.Linear(d, 10)

    def forward(self, src, tgt):
        prev = torch.cat([torch.full((len(src), 1), START), tgt[:, :-1].masked_fill(tgt[:, :-1] < 0, PAD)], 1)
        x = self.tok(torch.cat([src, prev], 1)) + self.pos.weight
        for b in self.blocks:
            x = b(x)
        return self.out(x[:, L:])


net = Decoder()
opt = torch.optim.AdamW(net.parameters(), lr=3e-3, betas=(0.9, 0.98))
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min((s + 1) / 50, (50 / (s + 1)) ** 0.5))
for step in range(500):
    src, tgt = batch(64)
    loss = F.cross_entropy(net(src, tgt).transpose(1, 2), tgt, ignore_index=-100)
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
    sched.step()
    if step % 100 == 0:
        print(step, loss.item())
with torch.no_grad():
    src, tgt = batch(500)
    hit = net(src, tgt).argmax(2) == tgt
print(f"metric=accuracy value={hit[tgt >= 0].float().mean().item():.4f}")
