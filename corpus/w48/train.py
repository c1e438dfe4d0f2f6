import copy
import os
import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)


class GridWorld:
    """5 x 5 grid, start anywhere, goal in a corner, every step costs 1, at most 20 steps."""

    moves = [(0, 1), (0, -1), (1, 0), (-1, 0)]

    def reset(self):
        self.x, self.y, self.t = random.randrange(5), random.randrange(5), 0
        return self.state()

    def state(self):
        return torch.tensor([self.x / 4 - 0.5, self.y / 4 - 0.5])

    def step(self, a):
        dx, dy = self.moves[a]
        self.x, self.y = min(4, max(0, self.x + dx)), min(4, max(0, self.y + dy))
        self.t += 1
        done = self.x == 4 and self.y == 4
        return self.state(), (10.0 if done else -1.0), done, self.t >= 20


class QNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(2, 48), nn.Linear(48, 48), nn.Linear(48, 4)

    def forward(self, s):
        return self.l3(F.relu(self.l2(F.relu(self.l1(s)))))


q = QNet()
target = copy.deepcopy(q)
opt = torch.optim.Adam(q.parameters(), lr=1e-3)
memory = deque(maxlen=5000)
env = GridWorld()
updates = 0
for episode in range(220):
    s = env.reset()
    eps = max(0.05, 1 - episode / 120)
    while True:
        if random.random() < eps:
            a = random.randrange(4)
        else:
            with torch.no_grad():
                a = int(q(s).argmax())
        s2, r, done, cut = env.step(a)
        memory.append((s, a, r, s2, float(done)))
        s = s2
        if len(memory) >= 200:
            batch = random.sample(memory, 32)
            bs, ba, br, bs2, bd = zip(*batch)
            bs, bs2 = torch.stack(bs), torch.stack(bs2)
            ba, br, bd = torch.tensor(ba)[:, None], torch.tensor(br)[:, None], torch.tensor(bd)[:, None]
            with torch.no_grad():
                goal = br + 0.95 * (1 - bd) * target(bs2).max(1, keepdim=True).values
            loss = F.smooth_l1_loss(q(bs).gather(1, ba), goal)
            opt.zero_grad()
            loss.backward()
            opt.step()
            updates += 1
            if updates % 100 == 0:
                target.load_state_dict(q.state_dict())
        if done or cut:
            break

reached = 0
for k in range(100):
    s = env.reset()
    for _ in range(20):
        with torch.no_grad():
            s, _, done, cut = env.step(int(q(s).argmax()))
        if done:
            reached += 1
            break
print(f"metric=solved value={reached / 100:.4f}")
