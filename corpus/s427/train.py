import copy
import os
import random
from collections import deque

import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", "0"))
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)

SIZE, GOAL = 6, (4, 2)
MOVES = [(-1, 0), (1, 0), (0, -1), (0, 1)]


class GridWorld:
    def reset(self, pos=None):
        while pos is None or pos == GOAL:
            pos = (random.randrange(SIZE), random.randrange(SIZE))
        self.pos, self.t = pos, 0
        return self.obs()

    def obs(self):
        o = np.zeros(2 * SIZE, dtype=np.float32)
        o[self.pos[0]] = 1
        o[SIZE + self.pos[1]] = 1
        return o

    def step(self, action):
        r, c = self.pos[0] + MOVES[action][0], self.pos[1] + MOVES[action][1]
        self.pos = (min(max(r, 0), SIZE - 1), min(max(c, 0), SIZE - 1))
        self.t += 1
        done = self.pos == GOAL
        return self.obs(), (1.0 if done else -0.02), done


class QNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * SIZE, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, s):
        return self.layers(s)


class Agent:
    def __init__(self, gamma=0.9, lr=1e-3):
        self.q, self.gamma = QNet(), gamma
        self.target = copy.deepcopy(self.q)
        self.memory = deque(maxlen=5000)
        self.optimizer = torch.optim.Adam(self.q.parameters(), lr=lr)

    def act(self, state, eps):
        if random.random() < eps:
            return random.randrange(4)
        with torch.no_grad():
            return self.q(torch.from_numpy(state)).argmax().item()

    def learn(self, batch_size=64):
        s, a, r, s2, d = zip(*random.sample(self.memory, batch_size))
        s, s2 = torch.from_numpy(np.stack(s)), torch.from_numpy(np.stack(s2))
        a, r, d = torch.tensor(a), torch.tensor(r), torch.tensor(d, dtype=torch.float32)
        q_sa = self.q(s).gather(1, a.unsqueeze(1))
        with torch.no_grad():
            y = r + self.gamma * (1 - d) * self.target(s2).max(1)[0]
        td = y - q_sa
        loss = (td ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


env, agent = GridWorld(), Agent()
state, steps = env.reset(), 6000
for t in range(steps):
    eps = max(0.1, 1 - t / 3000)
    action = agent.act(state, eps)
    nxt, reward, done = env.step(action)
    agent.memory.append((state, action, reward, nxt, done))
    state = env.reset() if done or env.t >= 40 else nxt
    if t >= 300 and t % 2 == 0:
        loss = agent.learn()
    if t % 100 == 0:
        agent.target.load_state_dict(agent.q.state_dict())
    if t % 1500 == 1400:
        print(f"step {t} eps {eps:.2f} td loss {loss:.4f}")

starts = [(i, j) for i in range(SIZE) for j in range(SIZE) if (i, j) != GOAL]
reached = 0
for pos in starts:
    state = env.reset(pos)
    for _ in range(20):
        state, _, done = env.step(agent.act(state, 0.0))
        if done:
            reached += 1
            break
print(f"metric=success_rate value={reached / len(starts):.4f}")
