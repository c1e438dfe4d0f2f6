import os
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Cart:
    """Many carts on a line, pushed left or right; reward 1 for each step near the middle."""

    def __init__(self, n):
        self.s = torch.stack([torch.rand(n) * 2 - 1, torch.randn(n) * 0.2], 1)

    def step(self, a):
        x, v = self.s.unbind(1)
        v = 0.95 * v + 0.1 * (2.0 * a - 1)
        x = (x + 0.1 * v).clamp(-2, 2)
        self.s = torch.stack([x, v], 1)
        return (x.abs() < 0.2).float()


def play(policy, n=32, steps=50):
    env, logp, rewards = Cart(n), [], []
    for _ in range(steps):
        dist = Categorical(logits=policy(env.s))
        a = dist.sample()
        logp.append(dist.log_prob(a))
        rewards.append(env.step(a))
    return torch.stack(logp), torch.stack(rewards)


policy = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.Adam(policy.parameters(), lr=1e-2)
for it in range(100):
    logp, r = play(policy)
    g = torch.zeros_like(r)
    run = torch.zeros(r.shape[1])
    for t in reversed(range(len(r))):
        run = r[t] + 0.97 * run
        g[t] = run
    adv = g - g.mean(1, keepdim=True)
    loss = -(logp * adv).sum(0).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 20 == 0:
        print(f"iteration {it}: reward per step {r.mean():.3f}")
with torch.no_grad():
    _, r = play(policy, 500)
print(f"metric=reward value={r.mean().item():.4f}")
