import os

import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

N_ACTIONS, STATE = 10, 6
SCORES = torch.randn(STATE, N_ACTIONS, generator=torch.Generator().manual_seed(11))


def observe(n):
    state = torch.randn(n, STATE)
    legal = torch.rand(n, N_ACTIONS) < 0.6
    legal[torch.arange(n), torch.randint(0, N_ACTIONS, (n,))] = True
    return state, legal


def play(state, action):
    return torch.tanh(state @ SCORES).gather(1, action.unsqueeze(1)).squeeze(1)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(STATE, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.actor = nn.Linear(64, N_ACTIONS)
        self.critic = nn.Linear(64, 1)

    def forward(self, state, legal):
        h = self.body(state)
        logits = self.actor(h).masked_fill(~legal, float("-inf"))
        return logits.log_softmax(dim=1), self.critic(h).squeeze(1)


def sample(logp):
    gumbel = -torch.log(-torch.log(torch.rand_like(logp)))
    return (logp + gumbel).argmax(dim=1)


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)
beta = 0.01

for update in range(1000):
    state, legal = observe(128)
    logp, value = policy(state, legal)
    action = sample(logp.detach())
    reward = play(state, action)
    advantage = reward - value.detach()

    taken = logp.gather(1, action.unsqueeze(1)).squeeze(1)
    entropy = -(logp.exp() * logp).sum(dim=1).mean()
    actor_loss = -(taken * advantage).mean() - beta * entropy
    critic_loss = 0.5 * (reward - value).pow(2).mean()

    optimizer.zero_grad()
    (actor_loss + critic_loss).backward()
    optimizer.step()
    if update % 200 == 0:
        print(f"update {update}  reward {reward.mean().item():.3f}  actor {actor_loss.item():.3f}")

with torch.no_grad():
    state, legal = observe(2000)
    best = (state @ SCORES).masked_fill(~legal, float("-inf")).argmax(1)
    acc = (policy(state, legal)[0].argmax(1) == best).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
