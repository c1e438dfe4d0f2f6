import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", "0")))

text = (
    "the sun was warm and the wind was low . the old man sat by the river and looked at the boats . "
    "a small boat came down the river with a red sail . the boy in the boat waved at the old man . "
    "the old man waved back and smiled . in the evening the boats came home and the wind was gone . "
    "the boy walked home with the old man and they talked about the river and the sea . "
    "the sea is far from here said the old man but every river knows the way . "
) * 6
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
block = 32


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(d, 3 * d)
        self.proj = nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        att = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = self.ln1(x + self.proj(att.transpose(1, 2).reshape(b, t, d)))
        return self.ln2(x + self.mlp(x))


class CharGPT(nn.Module):
    def __init__(self, vocab, d=48, heads=4, depth=3):
        super().__init__()
        self.tok = nn.Embedding(vocab, d)
        self.pos = nn.Embedding(block, d)
        self.blocks = nn.Sequential(*[Block(d, heads) for _ in range(depth)])
        self.lm_head = nn.Linear(d, vocab)

    def forward(self, ids):
        return self.lm_head(self.blocks(self.tok(ids) + self.pos.weight[: ids.shape[1]]))


def get_batch(n=16):
    start = torch.randint(0, len(data) - block - 1, (n,))
    window = torch.stack([data[s : s + block + 1] for s in start])
    return window[:, :-1], window[:, 1:]


model = CharGPT(len(chars))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.01)
for it in range(300):
    xb, yb = get_batch()
    loss = F.cross_entropy(model(xb).flatten(0, 1), yb.flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if it % 50 == 0:
        print(f"iter {it:4d} loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    xb, yb = get_batch(64)
    acc = (model(xb).argmax(-1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
