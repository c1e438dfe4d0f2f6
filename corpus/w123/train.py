import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > 0).float()

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        return grad / (1 + 5 * v.abs()) ** 2


class SpikingNet(nn.Module):
    def __init__(self, n_in=64, hidden=80, out=10, steps=8, beta=0.85):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(n_in, hidden), nn.Linear(hidden, out)
        self.steps, self.beta = steps, beta

    def forward(self, x):
        v1 = x.new_zeros(len(x), self.fc1.out_features)
        v2 = x.new_zeros(len(x), self.fc2.out_features)
        total = 0
        for _ in range(self.steps):
            spikes = (torch.rand_like(x) < x).float()
            v1 = self.beta * v1 + self.fc1(spikes)
            s = Spike.apply(v1 - 1.0)
            v1 = v1 - s.detach()
            v2 = self.beta * v2 + self.fc2(s)
            total = total + v2
        return total / self.steps


d = load_digits()
X, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)
p = torch.randperm(len(y))
X, y = X[p], y[p]
net = SpikingNet()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(10):
    for b in torch.randperm(1400).split(50):
        loss = nn.functional.cross_entropy(net(X[b]), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 3 == 0:
        print(epoch, round(loss.item(), 4))

with torch.no_grad():
    acc = (net(X[1400:]).argmax(1) == y[1400:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
