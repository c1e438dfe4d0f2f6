import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class LSTMCell(nn.Module):
    def __init__(self, n_in, n_h, r):
        super().__init__()
        self.W = nn.Parameter(torch.empty(n_in + n_h, 4 * n_h).uniform_(-r, r))
        self.b = nn.Parameter(torch.empty(4 * n_h).uniform_(-r, r))

    def forward(self, x, h, c):
        i, f, g, o = (torch.cat([x, h], 1) @ self.W + self.b).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Net(nn.Module):
    def __init__(self, n_h=20, r=12.0):
        super().__init__()
        self.cell, self.out, self.n_h = LSTMCell(1, n_h, r), nn.Linear(n_h, 1), n_h

    def forward(self, x):
        h = c = torch.zeros(len(x), self.n_h)
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t, None], h, c)
        return self.out(h).squeeze(1)


def waves(n, T=20):
    f, p = 0.15 + 0.3 * torch.rand(n, 1), 6.28 * torch.rand(n, 1)
    s = torch.sin(f * torch.arange(T + 1) + p)
    return s[:, :-1], s[:, -1]


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
xa, ya = waves(512)
xb, yb = waves(400)
for epoch in range(30):
    for i in torch.randperm(512).split(64):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(xa[i]), ya[i])
        loss.backward()
        opt.step()
    if epoch % 6 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - ((net(xb) - yb) ** 2).mean() / yb.var()
print(f"metric=r2 value={r2.item():.4f}")
