import os
import random
from collections import deque

import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
random.seed(seed)
np.random.seed(seed)
torch.manual_seed(seed)

SIZE, GOAL, HOLES = 5, (4, 4), {(1, 1), (1, 3), (3, 1), (2, 3), (3, 3)}
MOVES = [(-1, 0), (1, 0), (0, -1), (0, 1)]


def encode(cell):
    v = torch.zeros(2 * SIZE)
    v[cell[0]] = 1.0
    v[SIZE + cell[1]] = 1.0
    return v


def step(cell, action):
    r = min(max(cell[0] + MOVES[action][0], 0), SIZE - 1)
    c = min(max(cell[1] + MOVES[action][1], 0), SIZE - 1)
    if (r, c) == GOAL:
        return (r, c), 1.0, True
    if (r, c) in HOLES:
        return (r, c), -1.0, True
    return (r, c), -0.02, False


q_net = nn.Sequential(nn.Linear(2 * SIZE, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
target_net = nn.Sequential(nn.Linear(2 * SIZE, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
target_net.load_state_dict(q_net.state_dict())
optimizer = torch.optim.Adam(q_net.parameters(), lr=1e-3)
memory = deque(maxlen=5000)
gamma, updates = 0.95, 0
free = [(r, c) for r in range(SIZE) for c in range(SIZE) if (r, c) not in HOLES and (r, c) != GOAL]

for episode in range(300):
    cell, eps = random.choice(free), max(0.2, 1 - episode / 150)
    for _ in range(25):
        with torch.no_grad():
            greedy = q_net(encode(cell)).argmax().item()
        action = random.randrange(4) if random.random() < eps else greedy
        nxt, reward, done = step(cell, action)
        memory.append((encode(cell), action, reward, encode(nxt), float(done)))
        cell = nxt
        if len(memory) >= 200:
            s, a, r, s2, d = zip(*random.sample(memory, 64))
            s, s2 = torch.stack(s), torch.stack(s2)
            a, r, d = torch.tensor(a), torch.tensor(r), torch.tensor(d)
            q = q_net(s).gather(1, a.unsqueeze(1)).squeeze(1)
            with torch.no_grad():
                target = r + gamma * (1 - d) * target_net(s2).max(dim=1).values
            loss = (target - q).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            updates += 1
            if updates % 100 == 0:
                target_net.load_state_dict(q_net.state_dict())
        if done:
            break
    if episode % 50 == 49:
        print(f"episode {episode + 1} updates {updates} td loss {loss.item():.4f}")

reached = 0
for start in free:
    cell, done = start, False
    for _ in range(20):
        cell, _, done = step(cell, q_net(encode(cell)).argmax().item())
        if done:
            break
    reached += cell == GOAL
print(f"metric=success value={reached / len(free):.4f}")
