import copy
import math
import os
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim

SEED = int(os.environ.get("SEED", "0"))
random.seed(SEED)
np.random.seed(SEED)
torch.manual_seed(SEED)

K_SHOT = 10
INNER_LR = 0.01
INNER_STEPS = 2
META_BATCH = 8
META_ITERS = 400


class SineTask:
    def __init__(self, rng):
        self.amp = rng.uniform(1.0, 3.0)
        self.phase = rng.uniform(0.0, math.pi / 3)

    def sample(self, k):
        x = torch.rand(k, 1) * 6 - 3
        return x, self.amp * torch.sin(x + self.phase)


def make_net():
    return nn.Sequential(
        nn.Linear(1, 40), nn.Tanh(),
        nn.Linear(40, 40), nn.Tanh(),
        nn.Linear(40, 1),
    )


def adapt(model, x, y, steps=INNER_STEPS):
    """Return a copy of the model that was tuned on the support set."""
    learner = copy.deepcopy(model)
    inner = optim.SGD(learner.parameters(), lr=INNER_LR)
    for _ in range(steps):
        inner.zero_grad()
        F.mse_loss(learner(x), y).backward()
        inner.step()
    inner.zero_grad()
    return learner


meta_model = make_net()
meta_opt = optim.Adam(meta_model.parameters(), lr=2e-3)
rng = np.random.default_rng(SEED)

for it in range(META_ITERS):
    meta_opt.zero_grad()
    total = 0.0
    for _ in range(META_BATCH):
        task = SineTask(rng)
        learner = adapt(meta_model, *task.sample(K_SHOT))
        xq, yq = task.sample(K_SHOT)
        query_loss = F.mse_loss(learner(xq), yq) / META_BATCH
        query_loss.backward()
        for p, q in zip(meta_model.parameters(), learner.parameters()):
            p.grad = q.grad.clone() if p.grad is None else p.grad + q.grad
        total += query_loss.item()
    meta_opt.step()
    if it % 50 == 0:
        print(f"iter {it:4d}  query loss {total:.4f}")

err = var = 0.0
for _ in range(100):
    task = SineTask(rng)
    learner = adapt(meta_model, *task.sample(K_SHOT))
    xq, yq = task.sample(200)
    with torch.no_grad():
        err += F.mse_loss(learner(xq), yq).item()
        var += yq.var(unbiased=False).item()
print(f"metric=r2 value={1 - err / var:.4f}")
