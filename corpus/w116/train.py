import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# associative recall: the value that followed this key before
KEYS, VALS, PAIRS = 6, 6, 4


def batch(n):
    keys = torch.stack([torch.randperm(KEYS)[:PAIRS] for _ in range(n)])
    vals = torch.randint(0, VALS, (n, PAIRS))
    ask = torch.randint(0, PAIRS, (n,))
    return keys, vals, keys[torch.arange(n), ask], vals[torch.arange(n), ask]


class Recall(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.k, self.v, self.q = nn.Embedding(KEYS, d), nn.Embedding(VALS, d), nn.Embedding(KEYS, d)
        layer = nn.TransformerEncoderLayer(d, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.enc = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(d, VALS)

    def forward(self, keys, vals, ask):
        x = torch.cat([self.k(keys) + self.v(vals), self.q(ask)[:, None]], 1)
        return self.head(self.enc(x)[:, -1])


model = Recall()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
total = 420
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1.0, (s + 1) / (0.6 * total)) if s < 0.6 * total else max(0.02, (total - s) / (0.4 * total)))
for step in range(total):
    k, v, a, t = batch(64)
    loss = nn.functional.cross_entropy(model(k, v, a), t)
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    sched.step()
    if step % 60 == 0:
        print(step, f"{loss.item():.4f} lr {sched.get_last_lr()[0]:.2e}")

model.eval()
with torch.no_grad():
    k, v, a, t = batch(1000)
    acc = (model(k, v, a).argmax(1) == t).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
