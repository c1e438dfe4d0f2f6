import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def batch(n, steps=60):
    x = 0.3 * torch.randn(n, steps, 1)
    sign = torch.randint(0, 2, (n,))
    x[:, 0, 0] += 2.0 * (2 * sign.float() - 1)
    return x, sign


class Cell(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.x2h = nn.Linear(n_in, n_hidden)
        self.h2h = nn.Linear(n_hidden, n_hidden)

    def forward(self, x, h):
        return h + 0.1 * torch.tanh(self.x2h(x) + self.h2h(h))


class Recall(nn.Module):
    def __init__(self, n_hidden=24):
        super().__init__()
        self.cell = Cell(1, n_hidden)
        self.read = nn.Linear(n_hidden, 2)
        self.n_hidden = n_hidden

    def forward(self, x):
        h = x.new_zeros(len(x), self.n_hidden)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return self.read(h)


net = Recall()
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
loss_fn = nn.CrossEntropyLoss()
for step in range(250):
    x, s = batch(32)
    loss = loss_fn(net(x), s)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(step, loss.item())

x, s = batch(600)
with torch.no_grad():
    acc = (net(x).argmax(1) == s).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
