import os
import random
from collections import namedtuple

import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
random.seed(seed)
np.random.seed(seed)
torch.manual_seed(seed)

SIZE, GOAL = 6, (4, 2)
MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0)]
Transition = namedtuple("Transition", "state action reward next_state done")


def observe(cell):
    return [2 * cell[0] / (SIZE - 1) - 1, 2 * cell[1] / (SIZE - 1) - 1]


def step(cell, action):
    dx, dy = MOVES[action]
    nxt = (min(max(cell[0] + dx, 0), SIZE - 1), min(max(cell[1] + dy, 0), SIZE - 1))
    return nxt, -1.0, nxt == GOAL


def build_qnet(sizes):
    layers = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers)


def random_cell():
    cell = GOAL
    while cell == GOAL:
        cell = (random.randrange(SIZE), random.randrange(SIZE))
    return cell


sizes = [2, 64, 64, len(MOVES)]
policy_net, target_net = build_qnet(sizes), build_qnet(sizes)
target_net.load_state_dict(policy_net.state_dict())
optimizer = torch.optim.Adam(policy_net.parameters(), lr=1e-3)
criterion = nn.SmoothL1Loss()
memory, gamma, eps = [], 0.95, 1.0

cell, length = random_cell(), 0
for t in range(4000):
    eps = max(0.1, 1.0 - t / 2500)
    if random.random() < eps:
        action = random.randrange(4)
    else:
        with torch.no_grad():
            action = policy_net(torch.tensor(observe(cell))).argmax().item()
    nxt, reward, done = step(cell, action)
    memory.append(Transition(observe(cell), action, reward, observe(nxt), float(done)))
    length += 1
    cell, length = (random_cell(), 0) if done or length >= 40 else (nxt, length)

    if len(memory) < 200:
        continue
    batch = Transition(*zip(*random.sample(memory, 64)))
    state, next_state = torch.tensor(batch.state), torch.tensor(batch.next_state)
    action, reward, done = torch.tensor(batch.action), torch.tensor(batch.reward), torch.tensor(batch.done)
    q = policy_net(state).gather(1, action.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        expected = reward + gamma * (1 - done) * target_net(next_state).max(1).values
    loss = criterion(q, expected)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if t % 100 == 0:
        target_net.load_state_dict(policy_net.state_dict())
    if t % 1000 == 0:
        print(f"t {t} eps {eps:.2f} loss {loss.item():.4f} q {q.mean().item():.3f}")

solved = starts = 0
for start in [(i, j) for i in range(SIZE) for j in range(SIZE) if (i, j) != GOAL]:
    cell, done, starts = start, False, starts + 1
    for _ in range(2 * SIZE):
        with torch.no_grad():
            cell, _, done = step(cell, policy_net(torch.tensor(observe(cell))).argmax().item())
        if done:
            solved += 1
            break
print(f"metric=solved value={solved / starts:.4f}")
