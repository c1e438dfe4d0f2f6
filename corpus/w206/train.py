import math
import os

import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))


def sample_tasks(n):
    amplitude = 0.5 + 2.5 * torch.rand(n, 1, 1)
    phase = math.pi * torch.rand(n, 1, 1)
    x = -3 + 6 * torch.rand(n, 20, 1)
    return x, amplitude * torch.sin(x + phase)


def init_params(width=40):
    sizes = [1, width, width, 1]
    params = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        params.append((torch.randn(a, b) / math.sqrt(a)).requires_grad_())
        params.append(torch.zeros(1, b, requires_grad=True))
    return params


def forward(x, p):
    h = torch.tanh(x @ p[0] + p[1])
    h = torch.tanh(h @ p[2] + p[3])
    return h @ p[4] + p[5]


def task_loss(x, y, p):
    return (forward(x, p) - y).square().mean(dim=(1, 2))


def adapt(params, x, y, steps, lr=0.05, create_graph=True):
    """Every task gets its own copy of the weights and takes `steps` gradient steps."""
    fast = [w.expand(len(x), *w.shape) for w in params]
    for _ in range(steps):
        grads = torch.autograd.grad(task_loss(x, y, fast).sum(), fast, create_graph=create_graph)
        fast = [w - lr * g for w, g in zip(fast, grads)]
    return fast


meta = init_params()
opt = torch.optim.Adam(meta, lr=3e-3)
iters = 600
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, iters)
for it in range(iters):
    x, y = sample_tasks(25)
    fast = adapt(meta, x[:, :10], y[:, :10], steps=2)
    loss = task_loss(x[:, 10:], y[:, 10:], fast).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    if it % 100 == 0:
        print(f"iter {it} query loss {loss.item():.4f}")

x, y = sample_tasks(300)
fast = adapt(meta, x[:, :10], y[:, :10], steps=5, create_graph=False)
err = task_loss(x[:, 10:], y[:, 10:], fast).mean()
print(f"metric=r2 value={1 - err.item() / y[:, 10:].var(unbiased=False).item():.4f}")
