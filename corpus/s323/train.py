import os

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

VOCAB, LENGTH, KINDS = 20, 20, 4


def make_batch(n):
    """Sequences of random tokens; one of four command tokens occurs somewhere, a flip token may reverse the order."""
    tokens = torch.randint(KINDS + 1, VOCAB, (n, LENGTH))
    command = torch.randint(0, KINDS, (n,))
    place = torch.rand(n, LENGTH).argsort(1)[:, :2]
    rows = torch.arange(n)
    tokens[rows, place[:, 0]] = command
    flip = torch.rand(n) < 0.5
    tokens[rows[flip], place[flip, 1]] = KINDS
    return tokens, torch.where(flip, KINDS - 1 - command, command)


class CommandReader(nn.Module):
    def __init__(self, dim=32, heads=4):
        super().__init__()
        self.tok = nn.Embedding(VOCAB, dim)
        self.pos = nn.Parameter(torch.randn(LENGTH, dim) * 0.02)
        block = nn.TransformerEncoderLayer(dim, heads, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.body = nn.TransformerEncoder(block, 2)
        self.out = nn.Linear(dim, KINDS)

    def forward(self, t):
        h = self.body(self.tok(t) + self.pos)
        return self.out(h.mean(1))


model = CommandReader()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1, betas=(0.9, 0.999))
for step in range(1, 301):
    t, y = make_batch(64)
    loss = F.cross_entropy(model(t), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}  loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    t, y = make_batch(2000)
    acc = (model(t).argmax(-1) == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
