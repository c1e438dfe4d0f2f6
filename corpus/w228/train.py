import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", "0")))

digits = load_digits()
X = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 8 - 1
y = torch.tensor(digits.target)
perm = torch.randperm(len(X))
X, y = X[perm], y[perm]


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc = nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


class MyAdam:
    def __init__(self, params, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params = list(params)
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]
        self.t = 0

    @torch.no_grad()
    def step(self, scale):
        self.t += 1
        c1, c2 = 1 - self.beta1 ** self.t, 1 - self.beta2 ** self.t
        for p, m, v in zip(self.params, self.m, self.v):
            m.mul_(self.beta1).add_(p.grad, alpha=1 - self.beta1)
            v.mul_(self.beta2).addcmul_(p.grad, p.grad, value=1 - self.beta2)
            p -= scale * self.lr * (m / c1) / ((v / c2).sqrt() + self.eps)

    def zero_grad(self):
        for p in self.params:
            p.grad = None


net = ConvNet()
adam = MyAdam(net.parameters(), lr=3e-3)
micro, accumulate, warmup, update = 16, 4, 20, 0
for epoch in range(14):
    shown = 0.0
    for i, idx in enumerate(torch.randperm(1408).split(micro)):
        loss = F.cross_entropy(net(X[idx]), y[idx]) / accumulate
        loss.backward()
        shown += loss.item()
        if (i + 1) % accumulate == 0:
            update += 1
            adam.step(min(1.0, update / warmup))
            adam.zero_grad()
    print(f"epoch {epoch} loss {shown / (1408 // micro) * accumulate:.4f}")

with torch.no_grad():
    acc = (net(X[1408:]).argmax(1) == y[1408:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
