import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
x = torch.tensor(d.images / 8 - 1, dtype=torch.float32)
y = torch.tensor(d.target)
perm = torch.randperm(len(x), generator=torch.Generator().manual_seed(2))
x, y = x[perm], y[perm]


class Attention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q = nn.Linear(dim, dim, bias=False)
        self.k = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, dim, bias=False)
        self.o = nn.Linear(dim, dim, bias=False)

    def forward(self, x):
        w = (self.q(x) @ self.k(x).transpose(1, 2) / x.shape[-1] ** 0.5).softmax(dim=-1)
        return self.o(w @ self.v(x))


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.att = Attention(dim)
        self.ff = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        x = x + self.att(x)
        return x + self.ff(x)


class RowTransformer(nn.Module):
    def __init__(self, dim=32, depth=3):
        super().__init__()
        self.embed = nn.Linear(8, dim)
        self.place = nn.Parameter(torch.zeros(8, dim))
        self.blocks = nn.Sequential(*[Block(dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 10)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p)

    def forward(self, x):
        h = self.blocks(self.embed(x) + self.place)
        return self.head(self.norm(h).mean(dim=1))


model = RowTransformer()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(8):
    for i in torch.randperm(1300).split(50):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")

with torch.no_grad():
    acc = (model(x[1300:]).argmax(1) == y[1300:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
