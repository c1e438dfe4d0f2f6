import os

import numpy as np
import torch
import torch.nn as nn
from torch.distributions import Categorical

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)


class PointMassVec:
    """n point masses on a line, to be brought to rest at a target by thrust left / none / right"""

    def __init__(self, n, horizon=25):
        self.n, self.horizon = n, horizon

    def reset(self):
        self.pos = torch.rand(self.n) * 4 - 2
        self.vel = torch.zeros(self.n)
        self.t = 0
        self.goal = torch.rand(self.n) * 2 - 1
        return self.obs()

    def obs(self):
        left = torch.full((self.n,), 1 - self.t / self.horizon)
        return torch.stack([self.pos - self.goal, self.vel, left], 1)

    def step(self, action):
        thrust = action.float() - 1
        self.t += 1
        self.vel = 0.8 * self.vel + 0.2 * thrust
        self.pos = self.pos + 0.5 * self.vel
        gap = (self.pos - self.goal).abs()
        return self.obs(), 1.0 * (gap < 0.25).float() - 0.2 * gap - 0.02 * thrust.abs()


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
        self.pi, self.v = nn.Linear(48, 3), nn.Linear(48, 1)

    def forward(self, s):
        h = self.body(s)
        return Categorical(logits=self.pi(h)), self.v(h).squeeze(-1)


def rollout(env, net, gamma=0.95):
    s, logps, values, rewards, ents = env.reset(), [], [], [], []
    for _ in range(env.horizon):
        dist, value = net(s)
        a = dist.sample()
        s, r = env.step(a)
        logps.append(dist.log_prob(a))
        values.append(value)
        rewards.append(r)
        ents.append(dist.entropy())
    returns, g = [], torch.zeros(env.n)
    for r in reversed(rewards):
        g = r + gamma * g
        returns.insert(0, g)
    return torch.stack(logps), torch.stack(values), torch.stack(returns), torch.stack(ents)


env, net = PointMassVec(64), ActorCritic()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=300)
for update in range(1, 301):
    logp, value, ret, ent = rollout(env, net)
    adv = (ret - value).detach()
    adv = (adv - adv.mean()) / (adv.std() + 1e-8)
    policy_loss = -(logp * adv).mean()
    value_loss = (ret - value).pow(2).mean()
    loss = policy_loss + 0.25 * value_loss - 0.01 * ent.mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    optimizer.step()
    scheduler.step()
    if update % 50 == 0:
        print(f"update {update} return {ret[0].mean().item():.2f} policy {policy_loss.item():.3f} "
              f"entropy {ent.mean().item():.3f}")

test = PointMassVec(1000)
s = test.reset()
with torch.no_grad():
    for _ in range(test.horizon):
        s, _ = test.step(net(s)[0].probs.argmax(1))
parked = (s[:, 0].abs() < 0.25).float().mean().item()
print(f"metric=success_rate value={parked:.4f}")
