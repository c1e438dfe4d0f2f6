import os
import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(int(os.environ.get("SEED", 0)))

SIZE, MAX_STEPS = 5, 14
MOVES = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 48), nn.Tanh())
        self.pi = nn.Linear(48, 4)
        self.v = nn.Linear(48, 1)

    def forward(self, s):
        z = self.trunk(s)
        return Categorical(logits=self.pi(z)), self.v(z).squeeze(-1)


def rollout(policy, games, greedy=False):
    me, goal = torch.randint(0, SIZE, (games, 2)), torch.randint(0, SIZE, (games, 2))
    done = (me == goal).all(1)
    logs, values, rewards, masks, ents = [], [], [], [], []
    for _ in range(MAX_STEPS):
        dist, value = policy(torch.cat([me, goal], 1).float() / (SIZE - 1) - 0.5)
        action = dist.probs.argmax(-1) if greedy else dist.sample()
        moved = (me + MOVES[action]).clamp(0, SIZE - 1)
        alive = ~done
        me = torch.where(alive.unsqueeze(1), moved, me)
        arrived = (me == goal).all(1) & alive
        logs.append(dist.log_prob(action))
        values.append(value)
        ents.append(dist.entropy())
        rewards.append(arrived.float() - 0.05 * alive.float())
        masks.append(alive.float())
        done = done | arrived
    return [torch.stack(v) for v in (logs, values, rewards, masks, ents)] + [done]


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
for it in range(300):
    logs, values, rewards, masks, ents, done = rollout(policy, 48)
    returns, running = torch.zeros_like(rewards), torch.zeros(rewards.shape[1])
    for t in reversed(range(MAX_STEPS)):
        running = rewards[t] + 0.97 * running
        returns[t] = running
    advantage = (returns - values).detach()
    count = masks.sum()
    actor = -(logs * advantage * masks).sum() / count
    critic = ((returns - values).pow(2) * masks).sum() / count
    loss = actor + 0.5 * critic - 0.01 * (ents * masks).sum() / count
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
    optimizer.step()
    if it % 60 == 59:
        print(f"iteration {it + 1} loss {loss.item():+.4f} reached {done.float().mean().item():.3f}")

with torch.no_grad():
    success = rollout(policy, 1000, greedy=True)[-1].float().mean().item()
print(f"metric=success value={success:.4f}")
