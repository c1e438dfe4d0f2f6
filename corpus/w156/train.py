"""Q-learning with a replay buffer and a soft target network on a stochastic inventory problem."""
import copy
import os
import random
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

CAP, MAX_ORDER, GAMMA = 15, 6, 0.9


def step(stock, order):
    stock = (stock + order).clamp(max=CAP)
    demand = torch.poisson(torch.full(stock.shape, 3.0))
    sold = torch.minimum(stock, demand)
    left = stock - sold
    profit = 4.0 * sold - 1.5 * order - 0.3 * left - 2.0 * (order > 0).float()
    return left, profit


def encode(stock):
    return nn.functional.one_hot(stock.long(), CAP + 1).float()


q = nn.Sequential(nn.Linear(CAP + 1, 64), nn.ReLU(), nn.Linear(64, MAX_ORDER + 1))
target = copy.deepcopy(q).requires_grad_(False)
opt = torch.optim.RMSprop(q.parameters(), lr=1e-3)
huber = nn.SmoothL1Loss()

N_ENV = 16
stock = torch.randint(0, CAP + 1, (N_ENV,)).float()
buf = []
for it in range(2500):
    eps = max(0.1, 1 - it / 1000)
    with torch.no_grad():
        greedy = q(encode(stock)).argmax(1)
    rand = torch.randint(0, MAX_ORDER + 1, (N_ENV,))
    act = torch.where(torch.rand(N_ENV) < eps, rand, greedy)
    nxt, rew = step(stock, act.float())
    buf.append((stock, act, rew, nxt))
    stock = nxt
    if len(buf) > 400:
        buf.pop(0)
    if it < 20:
        continue
    s, a, r, s2 = (torch.cat(c) for c in zip(*random.sample(buf, 8)))
    with torch.no_grad():
        best = q(encode(s2)).argmax(1, keepdim=True)
        goal = 0.1 * r + GAMMA * target(encode(s2)).gather(1, best).squeeze(1)
    loss = huber(q(encode(s)).gather(1, a[:, None]).squeeze(1), goal)
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for p, pt in zip(q.parameters(), target.parameters()):
            pt.lerp_(p, 0.02)
    if it % 500 == 0:
        print(f"{it} td {loss.item():.4f} reward {rew.mean().item():.2f}")

with torch.no_grad():
    def rollout(policy):
        stock, total = torch.full((500,), 5.0), 0.0
        for _ in range(60):
            stock, rew = step(stock, policy(stock))
            total += rew.mean().item()
        return total / 60

    learned = rollout(lambda st: q(encode(st)).argmax(1).float())
    uniform = rollout(lambda st: torch.randint(0, MAX_ORDER + 1, st.shape).float())
print(f"random policy earns {uniform:.2f} a day")
print(f"metric=score value={learned:.4f}")
