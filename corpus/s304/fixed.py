import os
import math
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
MAXLEN, DIM = 10, 16


class SelfAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x, mask):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / math.sqrt(x.size(-1))
        scores = scores.masked_fill(mask.unsqueeze(1) == 0, float("-inf"))
        return scores.softmax(dim=-1) @ self.value(x)


class SetModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(2, DIM)
        self.attn = SelfAttention(DIM)
        self.ff = nn.Sequential(nn.Linear(DIM, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x, mask):
        h = torch.tanh(self.embed(x))
        h = h + self.attn(h, mask)
        h = (h * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        return self.ff(h)


def get_batch(n):
    length = torch.randint(3, MAXLEN + 1, (n,))
    mask = (torch.arange(MAXLEN)[None] < length[:, None]).float()
    pts = torch.randn(n, MAXLEN, 2) * mask.unsqueeze(-1)
    centre = pts.sum(1) / mask.sum(1, keepdim=True)
    spread = ((pts - centre[:, None]).norm(dim=-1) * mask).sum(1) / mask.sum(1)
    return pts, mask, ((spread - 1.05) / 0.3).unsqueeze(1)


model = SetModel()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.MSELoss()
for step in range(600):
    pts, mask, target = get_batch(64)
    optimizer.zero_grad()
    loss = criterion(model(pts, mask), target)
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}: {loss.item():.4f}")

pts, mask, target = get_batch(1000)
with torch.no_grad():
    r2 = 1 - criterion(model(pts, mask), target) / target.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
