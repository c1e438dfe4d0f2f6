import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
V, L, d = 12, 16, 32


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.o = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        nn.init.zeros_(self.o.weight)
        nn.init.zeros_(self.mlp[2].weight)

    def forward(self, x):
        B, T, _ = x.shape
        q, k, v = (t.view(B, T, 2, d // 2).transpose(1, 2) for t in self.qkv(self.n1(x)).chunk(3, -1))
        a = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(a.transpose(1, 2).reshape(B, T, d))
        return x + self.mlp(self.n2(x))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(V, d), nn.Parameter(torch.zeros(L, d))
        self.blocks = nn.Sequential(Block(), Block())
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, V, bias=False)
        nn.init.normal_(self.tok.weight, std=0.02)
        self.head.weight = self.tok.weight

    def forward(self, s):
        return self.head(self.norm(self.blocks(self.tok(s) + self.pos[: s.shape[1]])))


def sample(n):
    step = torch.randint(1, 4, (n, 1))
    s = (torch.randint(0, V, (n, 1)) + step * torch.arange(L + 1)) % V
    noise = torch.rand(n, L + 1) < 0.08
    return torch.where(noise, torch.randint(0, V, (n, L + 1)), s)


model = GPT()
opt = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.95), weight_decay=0.1)
total = 260
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda t: min((t + 1) / 30, 0.5 * (1 + math.cos(math.pi * t / total))))
for t in range(total):
    s = sample(48)
    loss = nn.functional.cross_entropy(model(s[:, :-1]).flatten(0, 1), s[:, 1:].flatten())
    opt.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    sched.step()
    if t % 40 == 0:
        print(t, loss.item())
s = sample(300)
with torch.no_grad():
    acc = (model(s[:, 3:-1]).argmax(2) == s[:, 4:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
