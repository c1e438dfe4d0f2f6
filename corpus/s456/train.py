import copy
import os
import random

import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
random.seed(seed)

SIZE, GAMMA = 5, 0.95
MOVES = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])
GOAL = torch.tensor([4, 4])
PIT = torch.tensor([2, 2])


def transition(pos, action):
    nxt = (pos + MOVES[action]).clamp(0, SIZE - 1)
    goal = (nxt == GOAL).all(1)
    pit = (nxt == PIT).all(1)
    reward = goal.float() - pit.float() - 0.02
    return nxt, reward, (goal | pit).float()


def encode(pos):
    return pos.float() / (SIZE - 1) * 2 - 1


def random_cells(n):
    pos = torch.randint(0, SIZE, (n, 2))
    bad = (pos == GOAL).all(1) | (pos == PIT).all(1)
    pos[bad] = 0
    return pos


class QNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, x):
        return self.net(x)


start = random_cells(6000)
action = torch.randint(0, 4, (6000,))
nxt, reward, done = transition(start, action)
memory = list(zip(encode(start), action, reward, encode(nxt), done))

q = QNet()
q_target = copy.deepcopy(q)
optimizer = torch.optim.Adam(q.parameters(), lr=1e-3)

for step in range(2000):
    s, a, r, s2, d = map(torch.stack, zip(*random.sample(memory, 64)))
    with torch.no_grad():
        target = r + GAMMA * (1 - d) * q_target(s2).max(dim=1).values
    predicted = q(s).gather(1, a.unsqueeze(1))
    loss = (target - predicted).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(q.parameters(), 10.0)
    optimizer.step()
    if step % 100 == 0:
        q_target.load_state_dict(q.state_dict())
    if step % 500 == 0:
        print(f"step {step} td loss {loss.item():.5f}")

cells = torch.cartesian_prod(torch.arange(SIZE), torch.arange(SIZE))
cells = cells[~((cells == GOAL).all(1) | (cells == PIT).all(1))]
pos, alive, won = cells.clone(), torch.ones(len(cells)), torch.zeros(len(cells))
with torch.no_grad():
    for _ in range(12):
        pos, rew, end = transition(pos, q(encode(pos)).argmax(1))
        won += alive * (rew > 0.5).float()
        alive *= 1 - end
print(f"metric=success_rate value={won.mean().item():.4f}")
