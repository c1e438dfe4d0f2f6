import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
# look-up task: eight key-value pairs and a query, answer with the value of the query's key
D = 64


def batch(n):
    keys = torch.randn(n, 8, D)
    values = torch.randint(0, 10, (n, 8))
    which = torch.randint(0, 8, (n,))
    query = keys[torch.arange(n), which] + 0.3 * torch.randn(n, D)
    return keys, values, query, values[torch.arange(n), which]


class Lookup(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(D, D), nn.Linear(D, D)
        self.v = nn.Embedding(10, 32)
        self.out = nn.Linear(32, 10)
        for layer in (self.q, self.k):
            nn.init.normal_(layer.weight, std=0.5)

    def forward(self, keys, values, query):
        score = (self.k(keys) @ self.q(query).unsqueeze(2)).squeeze(2)
        attention = F.softmax(score, dim=1)
        return self.out((attention.unsqueeze(2) * self.v(values)).sum(1))


net = Lookup()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(500):
    *inputs, y = batch(64)
    loss = F.cross_entropy(net(*inputs), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, loss.item())
with torch.no_grad():
    *inputs, y = batch(1000)
    acc = (net(*inputs).argmax(1) == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
