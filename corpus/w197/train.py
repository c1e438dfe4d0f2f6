import os

import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(int(os.environ.get("SEED", "0")))


class Balance:
    """A batch of poles on carts (Euler integration)."""

    def __init__(self, n):
        self.n = n
        self.s = torch.zeros(n, 4).uniform_(-0.05, 0.05)
        self.t = torch.zeros(n)

    def step(self, action):
        x, v, th, w = self.s.unbind(1)
        force = action.float() * 20 - 10
        cos, sin = torch.cos(th), torch.sin(th)
        tmp = (force + 0.05 * w ** 2 * sin) / 1.1
        acc_th = (9.8 * sin - cos * tmp) / (0.5 * (4 / 3 - 0.1 * cos ** 2 / 1.1))
        acc_x = tmp - 0.05 * acc_th * cos / 1.1
        self.s = torch.stack([x + 0.02 * v, v + 0.02 * acc_x, th + 0.02 * w, w + 0.02 * acc_th], 1)
        self.t += 1
        fell = (self.s[:, 0].abs() > 2.4) | (self.s[:, 2].abs() > 0.21)
        return fell

    def restart(self, which):
        self.s[which] = torch.zeros(int(which.sum()), 4).uniform_(-0.05, 0.05)
        self.t[which] = 0


SCALE = torch.tensor([1.0, 1.0, 10.0, 1.0])
actor = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
critic = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
nn.init.orthogonal_(actor[-1].weight, 0.01)
nn.init.zeros_(actor[-1].bias)
optimizer = torch.optim.Adam([{"params": actor.parameters(), "lr": 1.5e-3},
                              {"params": critic.parameters(), "lr": 3e-3}], eps=1e-5)
N, T, GAMMA, LAMBDA, CLIP = 32, 32, 0.98, 0.95, 0.2
env = Balance(N)

for update in range(45):
    obs, acts, logps, falls = [], [], [], []
    with torch.no_grad():
        for _ in range(T):
            o = env.s * SCALE
            dist = Categorical(logits=actor(o))
            a = dist.sample()
            fell = env.step(a)
            obs.append(o), acts.append(a), logps.append(dist.log_prob(a)), falls.append(fell.float())
            env.restart(fell)
        obs.append(env.s * SCALE)
        values = critic(torch.stack(obs)).squeeze(-1)
        adv, gae = torch.zeros(T, N), torch.zeros(N)
        for t in reversed(range(T)):
            live = 1 - falls[t]
            delta = 0.1 * live + GAMMA * values[t + 1] * live - values[t]
            gae = delta + GAMMA * LAMBDA * live * gae
            adv[t] = gae
        returns = (adv + values[:-1]).flatten()
        o, a, lp, adv = torch.stack(obs[:-1]).flatten(0, 1), torch.cat(acts), torch.cat(logps), adv.flatten()
    for _ in range(4):
        for idx in torch.randperm(N * T).split(256):
            dist = Categorical(logits=actor(o[idx]))
            ratio = (dist.log_prob(a[idx]) - lp[idx]).exp()
            A = (adv[idx] - adv[idx].mean()) / (adv[idx].std() + 1e-8)
            surrogate = torch.min(ratio * A, ratio.clamp(1 - CLIP, 1 + CLIP) * A).mean()
            loss = -surrogate + 0.5 * (critic(o[idx]).squeeze(1) - returns[idx]).pow(2).mean() - 0.01 * dist.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*actor.parameters(), *critic.parameters()], 0.5)
            optimizer.step()
    if update % 10 == 0:
        print(f"update {update} falls {torch.stack(falls).sum().item():.0f} loss {loss.item():.3f}")

test = Balance(100)
up = torch.ones(100)
length = torch.zeros(100)
with torch.no_grad():
    for _ in range(200):
        fell = test.step(actor(test.s * SCALE).argmax(1))
        length += up
        up *= 1 - fell.float()
print(f"metric=mean_length value={length.mean().item() / 200:.4f}")
