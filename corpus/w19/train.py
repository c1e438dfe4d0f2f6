import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))


class RNN(nn.Module):
    def __init__(self, h=32):
        super().__init__()
        self.wx = nn.Parameter(torch.randn(1, h) * 0.5)
        self.wh = nn.Parameter(torch.linalg.qr(torch.randn(h, h))[0] * 0.95)
        self.b = nn.Parameter(torch.zeros(h))
        self.out = nn.Linear(h, 1)

    def forward(self, x):
        h = x.new_zeros(x.shape[0], len(self.b))
        ys = []
        for t in range(x.shape[1]):
            h = torch.tanh(x[:, t] @ self.wx + h @ self.wh + self.b)
            ys.append(self.out(h))
        return torch.stack(ys, 1)


def data(n, T=30):
    x = torch.randn(n, T, 1)
    y = 0.6 * x + 0.5 * F.pad(x, (0, 0, 1, 0))[:, :-1] - 0.4 * F.pad(x, (0, 0, 3, 0))[:, :-3]
    return x, y


net = RNN()
opt = torch.optim.Adam(net.parameters(), lr=4e-3)
for step in range(250):
    x, y = data(32)
    loss = F.mse_loss(net(x), y)
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
    if step % 50 == 0:
        print(step, loss.item())
x, y = data(200)
with torch.no_grad():
    r2 = 1 - F.mse_loss(net(x), y) / y.var()
print(f"metric=r2 value={r2.item():.4f}")
