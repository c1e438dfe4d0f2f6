import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
x = torch.rand(800, 1) * 2 - 1
branch = torch.randint(0, 2, (800, 1)).float()
y = (2 * branch - 1) * (0.4 + x ** 2) + 0.08 * torch.randn(800, 1)


class MDN(nn.Module):
    def __init__(self, k=4):
        super().__init__()
        self.h = nn.Sequential(nn.Linear(1, 32), nn.Tanh())
        self.pi, self.mu, self.s = nn.Linear(32, k), nn.Linear(32, k), nn.Linear(32, k)

    def forward(self, x, y):
        h = self.h(x)
        s = self.s(h).clamp(-4, 2)
        comp = -0.5 * ((y - self.mu(h)) / s.exp()) ** 2 - s - 0.9189
        return -torch.logsumexp(F.log_softmax(self.pi(h), 1) + comp, 1).mean()


net = MDN()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(60):
    for i in torch.randperm(600).split(50):
        opt.zero_grad()
        loss = net(x[i], y[i])
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    gauss = 0.5 * torch.log(2 * torch.pi * torch.e * y[:600].var())
    gain = gauss - net(x[600:], y[600:])
print(f"metric=nats value={gain.item():.4f}")
