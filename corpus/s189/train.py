import os
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))

VOCAB, LENGTH, DIM = 12, 10, 32


class Block(nn.Module):
    def __init__(self, dim, heads=4):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.heads = heads

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(self.ln1(x)).chunk(3, -1)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        a = F.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(a.transpose(1, 2).reshape(B, T, C))
        return x + self.mlp(self.ln2(x))


class Reverser(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(VOCAB, DIM)
        self.pos = nn.Parameter(torch.randn(LENGTH, DIM) * 0.5)
        self.blocks = nn.Sequential(Block(DIM), Block(DIM))
        self.norm = nn.LayerNorm(DIM)
        self.head = nn.Linear(DIM, VOCAB)

    def forward(self, s):
        return self.head(self.norm(self.blocks(self.tok(s) + self.pos)))


model = Reverser()
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
model.train()
for step in range(450):
    seq = torch.randint(0, VOCAB, (48, LENGTH))
    logits = model(seq)
    loss = F.cross_entropy(logits.reshape(-1, VOCAB), seq.flip(1).reshape(-1))
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    opt.step()
    if step % 50 == 0:
        print("step", step, "loss", f"{loss.item():.4f}", "ppl", f"{math.exp(loss.item()):.2f}")
        opt.zero_grad()

model.eval()
with torch.no_grad():
    seq = torch.randint(0, VOCAB, (500, LENGTH))
    acc = (model(seq).argmax(-1) == seq.flip(1)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
