import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
vocab, length, d = 12, 5, 16


def sample(n):
    s = torch.randint(2, vocab, (n, length))
    a, b = torch.randint(0, 2, (2, n))
    s[:, 0] = a
    s[torch.arange(n), torch.randint(1, length, (n,))] = b
    return s, a ^ b


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.gru = nn.GRU(d, 32, batch_first=True)
        self.head = nn.Linear(32, 2)

    def forward(self, s):
        out, h = self.gru(self.emb(s))
        return self.head(h[-1])


net = Tagger()
opt = torch.optim.Adam(net.head.parameters(), lr=1e-2)
loss_fn = nn.CrossEntropyLoss()
for step in range(800):
    s, t = sample(64)
    loss = loss_fn(net(s), t)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, loss.item())
s, t = sample(1000)
with torch.no_grad():
    acc = (net(s).argmax(1) == t).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
