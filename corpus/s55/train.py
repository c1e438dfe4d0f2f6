import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def make(n, L=8):
    x = torch.randn(n, L, 6)
    length = torch.randint(SHORTEST, L + 1, (n,))
    mask = torch.arange(L)[None] < length[:, None]
    label = ((x[:, :, 0] * mask).sum(1) > 0).long()
    return x, mask, label


SHORTEST = 0


class Attention(nn.Module):
    def __init__(self, d=24):
        super().__init__()
        self.inp = nn.Linear(6, d)
        self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.out = nn.Linear(d, 2)

    def forward(self, x, mask):
        h = torch.relu(self.inp(x))
        s = self.q(h) @ self.k(h).transpose(1, 2) / math.sqrt(h.shape[-1])
        s = s.masked_fill(~mask[:, None, :], float("-inf"))
        a = torch.softmax(s, -1) @ self.v(h)
        return self.out((a * mask[..., None]).sum(1))


model = Attention()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(400):
    x, m, t = make(64)
    loss = nn.functional.cross_entropy(model(x, m), t)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 80 == 0:
        print(step, loss.item())
x, m, t = make(1000)
with torch.no_grad():
    acc = (model(x, m).argmax(1) == t).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
