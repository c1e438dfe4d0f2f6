"""Evolution strategy: the gradient is an estimate written into .grad, nothing is ever differentiated."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
policy = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1), nn.Tanh())
for p in policy.parameters():
    p.requires_grad_(False)
optimizer = torch.optim.Adam(policy.parameters(), lr=0.05)


def episode(net, start, steps=40):
    """Balance a pole on a cart (linearised); the reward is the share of upright steps."""
    x, v, a, w = start.unbind(1)
    reward = torch.zeros(len(start))
    for _ in range(steps):
        force = 10 * net(torch.stack([x, v, a, w], 1)).squeeze(1)
        acc = 9.8 * a - force
        w = w + 0.05 * acc
        a = (a + 0.05 * w).clamp(-1, 1)
        v = v + 0.05 * force
        x = x + 0.05 * v
        reward += (a.abs() < 0.2).float() / steps
    return reward.mean().item()


sigma, pairs = 0.1, 8
for generation in range(30):
    start = torch.randn(32, 4) * 0.1
    update = [torch.zeros_like(p) for p in policy.parameters()]
    for _ in range(pairs):
        noise = [torch.randn_like(p) for p in policy.parameters()]
        score = []
        for sign in (1, -1):
            for p, e in zip(policy.parameters(), noise):
                p.add_(sign * sigma * e)
            score.append(episode(policy, start))
            for p, e in zip(policy.parameters(), noise):
                p.sub_(sign * sigma * e)
        for u, e in zip(update, noise):
            u += (score[0] - score[1]) * e / (2 * sigma * pairs)
    for p, u in zip(policy.parameters(), update):
        p.grad = -u
    optimizer.step()
    if generation % 10 == 9:
        print(generation + 1, episode(policy, torch.randn(200, 4) * 0.1))
print(f"metric=reward value={episode(policy, torch.randn(500, 4) * 0.1):.4f}")
