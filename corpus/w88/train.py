"""Clipped policy optimisation (four passes over each set of actions) with a value net and an entropy bonus."""

import os
import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(int(os.environ.get("SEED", 0)))
ACTIONS = 6
best = torch.randn(8, ACTIONS)


def reward(context, action):
    value = (context @ best)[torch.arange(len(context)), action]
    return torch.sigmoid(2 * value) * 10 + torch.randn(len(context))


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 32), nn.Tanh())
        self.pi = nn.Linear(32, ACTIONS)
        self.v = nn.Linear(32, 1)
        nn.init.orthogonal_(self.pi.weight, gain=0.01)

    def forward(self, c):
        h = self.trunk(c)
        return Categorical(logits=self.pi(h)), self.v(h).squeeze(1)


net = ActorCritic()
opt = torch.optim.Adam(net.parameters(), lr=3e-3, eps=1e-5)
for iteration in range(50):
    context = torch.randn(256, 8)
    with torch.no_grad():
        pi, v = net(context)
        action = pi.sample()
        old = pi.log_prob(action)
        gain = reward(context, action)
        advantage = gain - v
        advantage = (advantage - advantage.mean()) / advantage.std()
    for _ in range(4):
        for rows in torch.randperm(256).split(64):
            pi, v = net(context[rows])
            ratio = torch.exp(pi.log_prob(action[rows]) - old[rows])
            a = advantage[rows]
            policy = -torch.min(ratio * a, ratio.clamp(0.8, 1.2) * a).mean()
            value = 0.5 * (gain[rows] - v).pow(2).mean()
            loss = policy + 0.5 * value - 0.01 * pi.entropy().mean()
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            opt.step()
    if iteration % 10 == 9:
        print(iteration + 1, round(gain.mean().item(), 3))
context = torch.randn(2000, 8)
with torch.no_grad():
    choice = net(context)[0].probs.argmax(1)
print(f"metric=reward value={reward(context, choice).mean().item():.4f}")
