import os
import random
from collections import deque
from copy import deepcopy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
random.seed(seed)
np.random.seed(seed)
torch.manual_seed(seed)

GAMMA, TAU, N_ENV, HORIZON = 0.9, 0.02, 8, 15


class PointEnv:
    """Several point masses on a table; drive each to its goal."""

    def reset(self):
        self.pos = torch.rand(N_ENV, 2) * 2 - 1
        self.goal = torch.rand(N_ENV, 2) * 2 - 1
        return torch.cat([self.pos, self.goal], 1)

    def step(self, a):
        self.pos = (self.pos + 0.25 * a).clamp(-1.5, 1.5)
        return torch.cat([self.pos, self.goal], 1), -(self.pos - self.goal).norm(dim=1)


def mlp(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, n_out))


class Agent:
    def __init__(self):
        self.actor, self.critic = nn.Sequential(mlp(4, 2), nn.Tanh()), mlp(6, 1)
        self.actor_t, self.critic_t = deepcopy(self.actor), deepcopy(self.critic)
        self.actor_opt = torch.optim.Adam(self.actor.parameters(), lr=1e-3)
        self.critic_opt = torch.optim.Adam(self.critic.parameters(), lr=2e-3)

    def q(self, net, s, a):
        return net(torch.cat([s, a], 1)).squeeze(1)

    def act(self, s, noise=0.0):
        with torch.no_grad():
            a = self.actor(s)
        return (a + noise * torch.randn_like(a)).clamp(-1, 1)

    def update(self, batch):
        s, a, r, s2 = [torch.stack(c) for c in zip(*batch)]
        with torch.no_grad():
            target = r + GAMMA * self.q(self.critic_t, s2, self.actor_t(s2))
        critic_loss = F.mse_loss(self.q(self.critic, s, a), target)
        critic_loss.backward()
        self.critic_opt.step()

        self.actor_opt.zero_grad()
        actor_loss = -self.q(self.critic, s, self.actor(s)).mean()
        actor_loss.backward()
        self.actor_opt.step()

        with torch.no_grad():
            for net, tgt in ((self.actor, self.actor_t), (self.critic, self.critic_t)):
                for p, q in zip(net.parameters(), tgt.parameters()):
                    q.lerp_(p, TAU)
        return critic_loss.item(), actor_loss.item()


env, agent, memory = PointEnv(), Agent(), deque(maxlen=20000)
for episode in range(70):
    s = env.reset()
    for t in range(HORIZON):
        a = agent.act(s, noise=0.3)
        s2, r = env.step(a)
        memory.extend(zip(s, a, r, s2))
        s = s2
        if len(memory) > 500:
            for _ in range(2):
                stats = agent.update(random.sample(memory, 64))
    if episode % 20 == 19:
        print(f"episode {episode + 1} critic {stats[0]:.4f} actor {stats[1]:.4f}")

done = total = 0
for _ in range(30):
    s = env.reset()
    for t in range(HORIZON):
        s, r = env.step(agent.act(s))
    done += (r > -0.2).sum().item()
    total += N_ENV
print(f"metric=success_rate value={done / total:.4f}")
