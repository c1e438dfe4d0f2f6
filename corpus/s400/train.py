import math
import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class GaussianPolicy(nn.Module):
    def __init__(self, obs=2, hidden=32):
        super().__init__()
        self.pi = nn.Sequential(nn.Linear(obs, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.v = nn.Sequential(nn.Linear(obs, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.log_std = nn.Parameter(torch.tensor(-0.5))

    def log_prob(self, obs, act):
        z = (act - self.pi(obs).squeeze(-1)) / self.log_std.exp()
        return -0.5 * z ** 2 - self.log_std - 0.5 * math.log(2 * math.pi)


def env_step(s, a):
    pos, vel = s[:, 0], s[:, 1]
    vel = 0.9 * vel + 0.4 * a.clamp(-1, 1) + 0.02 * torch.randn_like(a)
    pos = pos + 0.3 * vel
    docked = (pos.abs() < 0.1) & (vel.abs() < 0.15)
    return torch.stack([pos, vel], 1), -pos.abs() - 0.1 * vel.abs() + 3.0 * docked, docked


@torch.no_grad()
def collect(agent, n_env=16, horizon=20, gamma=0.95, explore=True):
    s = torch.rand(n_env, 2) * 2 - 1
    alive = torch.ones(n_env, dtype=torch.bool)
    rows, rewards, masks = [], [], []
    for _ in range(horizon):
        a = agent.pi(s).squeeze(-1)
        if explore:
            a = a + agent.log_std.exp() * torch.randn(n_env)
        rows.append((s, a, agent.log_prob(s, a)))
        masks.append(alive)
        s, r, docked = env_step(s, a)
        rewards.append(r * alive)
        alive = alive & ~docked
    ret, returns = torch.zeros(n_env), []
    for r in reversed(rewards):
        ret = r + gamma * ret
        returns.insert(0, ret)
    m = torch.stack(masks)
    s, a, lp = (torch.stack(c)[m] for c in zip(*rows))
    return s, a, lp, torch.stack(returns)[m], 1 - alive.float().mean().item()


agent = GaussianPolicy()
optimizer = torch.optim.Adam(agent.parameters(), lr=3e-3)
for it in range(90):
    obs, act, old_lp, returns, score = collect(agent)
    for _ in range(2):
        for mb in torch.randperm(len(obs)).split(16):
            value = agent.v(obs[mb]).squeeze(-1)
            adv = returns[mb] - value.detach()
            adv = (adv - adv.mean()) / (adv.std() + 1e-8)
            ratio = (agent.log_prob(obs[mb], act[mb]) - old_lp[mb]).exp()
            pg = -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
            loss = pg + 0.5 * (returns[mb] - value).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
    if it % 15 == 0:
        print(f"iter {it} steps {len(obs)} docked {score:.2f} loss {loss.item():.3f}")

print(f"metric=docked value={collect(agent, n_env=200, explore=False)[-1]:.4f}")
