import os
import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(int(os.environ.get("SEED", "0")))
SIZE, MAX_STEPS, N_ENVS, GAMMA = 5, 20, 32, 0.97
MOVES = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])
GOAL = torch.tensor([SIZE - 1, SIZE - 1])


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2 * SIZE, 48), nn.Tanh())
        self.policy = nn.Linear(48, 4)
        self.value = nn.Linear(48, 1)

    def forward(self, pos):
        onehot = nn.functional.one_hot(pos, SIZE).flatten(1).float()
        h = self.body(onehot)
        return Categorical(logits=self.policy(h)), self.value(h).squeeze(-1)


def rollout(agent, n, greedy=False):
    pos = torch.zeros(n, 2, dtype=torch.long)
    alive = torch.ones(n)
    logps, values, rewards, entropies, alives = [], [], [], [], []
    for _ in range(MAX_STEPS):
        dist, value = agent(pos)
        action = dist.probs.argmax(-1) if greedy else dist.sample()
        pos = (pos + MOVES[action]).clamp(0, SIZE - 1)
        done = (pos == GOAL).all(1).float()
        logps.append(dist.log_prob(action))
        entropies.append(dist.entropy())
        values.append(value)
        rewards.append(alive * (done - 0.02))
        alives.append(alive)
        alive = alive * (1 - done)
    return [torch.stack(v) for v in (logps, values, rewards, entropies, alives)]


agent = ActorCritic()
optimizer = torch.optim.Adam(agent.parameters(), lr=5e-3)
for update in range(250):
    logp, value, reward, entropy, alive = rollout(agent, N_ENVS)
    returns, running = torch.zeros_like(reward), torch.zeros(N_ENVS)
    for t in reversed(range(MAX_STEPS)):
        running = reward[t] + GAMMA * running
        returns[t] = running
    advantage = returns - value.detach()
    n_alive = alive.sum()
    policy_loss = -(logp * advantage * alive).sum() / n_alive
    value_loss = ((returns - value) ** 2 * alive).sum() / n_alive
    loss = policy_loss + 0.5 * value_loss - 0.01 * (entropy * alive).sum() / n_alive
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
    optimizer.step()
    if update % 50 == 0:
        print(f"update {update} loss {loss.item():.4f} return {reward.sum(0).mean().item():.3f}")

with torch.no_grad():
    score = rollout(agent, 1, greedy=True)[2].sum(0).mean().item()
print(f"metric=return value={score:.4f}")
