import copy
import os
import random
from collections import deque

import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", "0"))
for set_seed in (random.seed, np.random.seed, torch.manual_seed):
    set_seed(SEED)

SIZE = 5
MOVES = [(-1, 0), (1, 0), (0, -1), (0, 1)]


class Maze:
    walls = {(1, 1), (1, 2), (3, 1), (3, 3)}
    goal = (2, 3)

    def free_cells(self):
        return [p for p in np.ndindex(SIZE, SIZE) if p not in self.walls and p != self.goal]

    def reset(self, start=None):
        self.pos = start or random.choice(self.free_cells())
        return self.observe()

    def observe(self):
        return np.eye(SIZE * SIZE, dtype=np.float32)[self.pos[0] * SIZE + self.pos[1]]

    def step(self, action):
        r, c = self.pos[0] + MOVES[action][0], self.pos[1] + MOVES[action][1]
        if 0 <= r < SIZE and 0 <= c < SIZE and (r, c) not in self.walls:
            self.pos = (r, c)
        done = self.pos == self.goal
        return self.observe(), (1.0 if done else -0.04), done


class DQNAgent:
    def __init__(self):
        self.memory = deque(maxlen=2000)
        self.gamma, self.epsilon = 0.9, 1.0
        self.model = nn.Sequential(nn.Linear(SIZE * SIZE, 48), nn.ReLU(), nn.Linear(48, len(MOVES)))
        self.target = copy.deepcopy(self.model)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=2e-3)

    def act(self, obs, greedy=False):
        if not greedy and random.random() < self.epsilon:
            return random.randrange(len(MOVES))
        return self.model(torch.from_numpy(obs)).argmax().item()

    def replay(self, batch_size=48):
        obs, action, reward, nxt, done = zip(*random.sample(self.memory, batch_size))
        obs, nxt = torch.from_numpy(np.stack(obs)), torch.from_numpy(np.stack(nxt))
        action, reward, done = torch.tensor(action).unsqueeze(1), torch.tensor(reward), torch.tensor(done).float()
        with torch.no_grad():
            target = reward + self.gamma * (1 - done) * self.target(nxt).max(dim=1).values
        q = self.model(obs).gather(1, action)
        loss = (q - target).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


env, agent = Maze(), DQNAgent()
obs, age, wins = env.reset(), 0, 0
for step in range(3000):
    action = agent.act(obs)
    nxt, reward, done = env.step(action)
    agent.memory.append((obs, action, reward, nxt, done))
    obs, age, wins = nxt, age + 1, wins + done
    if done or age >= 30:
        obs, age = env.reset(), 0
    if len(agent.memory) >= 200:
        agent.replay()
    if step % 100 == 0:
        agent.target.load_state_dict(agent.model.state_dict())
    agent.epsilon = max(0.2, agent.epsilon * 0.999)
    if step % 500 == 499:
        print(f"step {step + 1} goals reached {wins} epsilon {agent.epsilon:.2f}")

solved = 0
for start in env.free_cells():
    obs, done = env.reset(start), False
    for _ in range(15):
        if not done:
            obs, _, done = env.step(agent.act(obs, greedy=True))
    solved += done
print(f"metric=solved_share value={solved / len(env.free_cells()):.4f}")
