"""Mixture density network for an inverse problem: the angle of a lever from its height."""
import math
import os
import torch
import torch.nn as nn
from torch.nn.utils import clip_grad_norm_

torch.manual_seed(int(os.environ.get("SEED", "0")))


def draw(n):
    angle = math.pi * (2 * torch.rand(n, 1) - 1)
    height = torch.sin(angle) + 0.02 * torch.randn(n, 1)
    return height, angle / math.pi + 0.01 * torch.randn(n, 1)


class MDN(nn.Module):
    def __init__(self, hidden=48, parts=4):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.weight = nn.Linear(hidden, parts)
        self.mean = nn.Linear(hidden, parts)
        self.log_std = nn.Linear(hidden, parts)
        with torch.no_grad():
            self.mean.bias.copy_(torch.linspace(-0.8, 0.8, parts))
            self.log_std.bias.fill_(-1.0)

    def log_prob(self, x, y):
        h = self.trunk(x)
        log_std = self.log_std(h).clamp(min=-5.0)
        z = (y - self.mean(h)) * torch.exp(-log_std)
        comp = -0.5 * z ** 2 - log_std - 0.5 * math.log(2 * math.pi)
        return torch.logsumexp(torch.log_softmax(self.weight(h), dim=1) + comp, dim=1)


x, y = draw(4000)
x_test, y_test = draw(2000)
model = MDN()
epochs, batch = 60, 100
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-4)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * len(x) // batch)

for epoch in range(epochs):
    for idx in torch.randperm(len(x)).split(batch):
        optimizer.zero_grad()
        loss = -model.log_prob(x[idx], y[idx]).mean()
        loss.backward()
        clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    if epoch % 6 == 0:
        print(f"epoch {epoch:2d} nll {loss.item():+.4f}")

with torch.no_grad():
    ll = model.log_prob(x_test, y_test).mean().item()
print(f"metric=log_likelihood value={ll:.4f}")
