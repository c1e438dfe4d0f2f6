import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Walk:
    def __init__(self, n=32):
        self.x = torch.rand(n, 1) * 2 - 1
        self.goal = torch.rand(n, 1) * 2 - 1

    def state(self):
        return torch.cat([self.x, self.goal], 1)

    def step(self, a):
        self.x = (self.x + 0.2 * (a[:, None].float() - 1)).clamp(-1.2, 1.2)
        return -(self.x - self.goal).abs().squeeze(1)


actor = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 3))
critic = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
opt = torch.optim.Adam([{"params": actor.parameters(), "lr": 5e-3}, {"params": critic.parameters(), "lr": 1e-2}])


def rollout(n, learn):
    env, logp, ent, val, rew = Walk(n), [], [], [], []
    for t in range(8):
        s = env.state()
        pi = torch.distributions.Categorical(logits=actor(s))
        a = pi.sample()
        logp.append(pi.log_prob(a))
        ent.append(pi.entropy())
        val.append(critic(s).squeeze(1))
        rew.append(env.step(a))
    rew = torch.stack(rew)
    ret = rew.flip(0).cumsum(0).flip(0)
    if learn:
        adv = ret - torch.stack(val)
        loss = -(torch.stack(logp) * adv.detach()).mean() + 0.5 * adv.pow(2).mean() - 0.01 * torch.stack(ent).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return rew.mean().item()


for it in range(300):
    r = rollout(32, True)
    if it % 50 == 0:
        print(it, r)
with torch.no_grad():
    r = sum(rollout(200, False) for _ in range(3)) / 3
print(f"metric=score value={1 + r / 0.67:.4f}")
