import os
import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(int(os.environ.get("SEED", "0")))


class CartPoles:
    """n poles at once; a pole that falls is set upright again"""

    def __init__(self, n):
        self.s = self.fresh(n)

    @staticmethod
    def fresh(n):
        return (torch.rand(n, 4) - 0.5) * 0.1

    def step(self, action):
        x, v, th, w = self.s.unbind(1)
        force = action.float() * 20 - 10
        sin, cos = th.sin(), th.cos()
        tmp = (force + 0.05 * w ** 2 * sin) / 1.1
        acc_th = (9.8 * sin - cos * tmp) / (0.5 * (4 / 3 - 0.1 * cos ** 2 / 1.1))
        acc = tmp - 0.05 * acc_th * cos / 1.1
        self.s = torch.stack([x + 0.02 * v, v + 0.02 * acc, th + 0.02 * w, w + 0.02 * acc_th], 1)
        fell = (self.s[:, 0].abs() > 2.4) | (self.s[:, 2].abs() > 0.2095)
        after = self.s
        self.s = torch.where(fell[:, None], self.fresh(len(after)), after)
        return after, fell


def features(s):
    return s / torch.tensor([1.0, 1.0, 0.1, 1.0])


actor = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))
critic = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1))
opt_actor = torch.optim.Adam(actor.parameters(), lr=3e-3)
opt_critic = torch.optim.Adam(critic.parameters(), lr=5e-3)
gamma, lam, horizon, n_env, scale = 0.98, 0.95, 16, 32, 0.05

env = CartPoles(n_env)
for update in range(250):
    obs, acts, falls, nexts = [], [], [], []
    with torch.no_grad():
        for _ in range(horizon):
            o = features(env.s)
            a = Categorical(logits=actor(o)).sample()
            after, fell = env.step(a)
            obs.append(o), acts.append(a), falls.append(fell.float()), nexts.append(features(after))
        obs, acts, falls, nexts = map(torch.stack, (obs, acts, falls, nexts))
        value, value_next = critic(obs).squeeze(-1), critic(nexts).squeeze(-1)
        delta = scale + gamma * (1 - falls) * value_next - value
        adv, run = torch.zeros_like(delta), torch.zeros(n_env)
        for t in reversed(range(horizon)):
            run = delta[t] + gamma * lam * (1 - falls[t]) * run
            adv[t] = run
        returns = adv + value
        adv = (adv - adv.mean()) / (adv.std() + 1e-8)

    dist = Categorical(logits=actor(obs))
    actor_loss = -(dist.log_prob(acts) * adv).mean() - 0.01 * dist.entropy().mean()
    opt_actor.zero_grad()
    actor_loss.backward()
    nn.utils.clip_grad_norm_(actor.parameters(), 0.5)
    opt_actor.step()

    critic_loss = (critic(obs).squeeze(-1) - returns).pow(2).mean()
    opt_critic.zero_grad()
    critic_loss.backward()
    opt_critic.step()
    if update % 50 == 0:
        print(f"update {update} actor {actor_loss.item():+.3f} critic {critic_loss.item():.3f} falls {int(falls.sum())}")

test = CartPoles(100)
alive, length = torch.ones(100, dtype=torch.bool), torch.zeros(100)
with torch.no_grad():
    for _ in range(200):
        length += alive
        _, fell = test.step(actor(features(test.s)).argmax(1))
        alive &= ~fell
print(f"metric=episode_length value={length.mean().item():.4f}")
