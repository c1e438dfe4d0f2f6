import os
import random
from collections import deque

import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
random.seed(SEED)

SIZE = 6
MOVES = [(0, 1), (0, -1), (1, 0), (-1, 0)]


SPAN = 2 * SIZE - 1


def encode(cell, goal):
    v = torch.zeros(2 * SPAN)
    v[goal[0] - cell[0] + SIZE - 1] = 1.0
    v[SPAN + goal[1] - cell[1] + SIZE - 1] = 1.0
    return v


def env_step(cell, goal, a):
    dx, dy = MOVES[a]
    new = (min(max(cell[0] + dx, 0), SIZE - 1), min(max(cell[1] + dy, 0), SIZE - 1))
    done = new == goal
    return new, 1.0 if done else -0.02, done


def random_start():
    a, b = random.sample(range(SIZE * SIZE), 2)
    return divmod(a, SIZE), divmod(b, SIZE)


policy_net = nn.Sequential(nn.Linear(2 * SPAN, 64), nn.ReLU(), nn.Linear(64, 4))
target_net = nn.Sequential(nn.Linear(2 * SPAN, 64), nn.ReLU(), nn.Linear(64, 4))
target_net.load_state_dict(policy_net.state_dict())
optimizer = torch.optim.Adam(policy_net.parameters(), lr=2e-3)
memory = deque(maxlen=5000)
gamma, batch_size = 0.9, 64


def optimize():
    s, a, r, s2, done = zip(*random.sample(memory, batch_size))
    s, s2 = torch.stack(s), torch.stack(s2)
    a, r, done = torch.tensor(a), torch.tensor(r), torch.tensor(done)
    q = policy_net(s).gather(1, a.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        best = target_net(s2).max(1).values
        expected = r + gamma * best * (~done)
    loss = (q - expected).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


(cell, goal), t, loss = random_start(), 0, float("nan")
for step in range(6000):
    eps = max(0.1, 1.0 - step / 3000)
    if random.random() < eps:
        a = random.randrange(4)
    else:
        with torch.no_grad():
            a = policy_net(encode(cell, goal)).argmax().item()
    new, r, done = env_step(cell, goal, a)
    memory.append((encode(cell, goal), a, r, encode(new, goal), done))
    cell, t = new, t + 1
    if done or t >= 40:
        (cell, goal), t = random_start(), 0
    if len(memory) >= 500 and step % 2 == 0:
        loss = optimize()
    if step % 200 == 0:
        target_net.load_state_dict(policy_net.state_dict())
    if step % 1000 == 0:
        print(f"step {step} eps {eps:.2f} loss {loss:.4f}")

wins, trials = 0, 300
with torch.no_grad():
    for _ in range(trials):
        cell, goal = random_start()
        for _ in range(12):
            cell, _, done = env_step(cell, goal, policy_net(encode(cell, goal)).argmax().item())
            if done:
                wins += 1
                break
print(f"metric=success value={wins / trials:.4f}")
