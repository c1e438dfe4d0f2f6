import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, vmap

torch.manual_seed(int(os.environ.get("SEED", "0")))

INNER_LR, INNER_STEPS, TASKS, SHOTS = 0.03, 2, 12, 10


def draw_tasks(n):
    """Sine waves of random amplitude and phase; each task gets SHOTS support and SHOTS query points."""
    amp = 0.5 + 2.5 * torch.rand(n, 1, 1)
    phase = 3.1416 * torch.rand(n, 1, 1)
    x = 10 * torch.rand(n, 2 * SHOTS, 1) - 5
    y = amp * torch.sin(x + phase)
    return x[:, :SHOTS], y[:, :SHOTS], x[:, SHOTS:], y[:, SHOTS:]


net = nn.Sequential(nn.Linear(1, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
meta = {k: v.detach().clone().requires_grad_(True) for k, v in net.named_parameters()}
rates = {k: torch.full_like(v, INNER_LR).requires_grad_(True) for k, v in net.named_parameters()}


def task_loss(params, x, y):
    return F.mse_loss(functional_call(net, params, (x,)), y)


def adapt(params, rates, x, y):
    for _ in range(INNER_STEPS):
        g = grad(task_loss)(params, x, y)
        params = {k: params[k] - rates[k] * g[k] for k in params}
    return params


def query_loss(params, rates, xs, ys, xq, yq):
    return task_loss(adapt(params, rates, xs, ys), xq, yq)


meta_opt = torch.optim.Adam([{"params": meta.values()}, {"params": rates.values(), "lr": 1e-3}], lr=4e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(meta_opt, T_max=900)
batched = vmap(query_loss, in_dims=(None, None, 0, 0, 0, 0))
average = None
for it in range(900):
    loss = batched(meta, rates, *draw_tasks(TASKS)).mean()
    meta_opt.zero_grad()
    loss.backward()
    meta_opt.step()
    sched.step()
    average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
    if it % 250 == 0:
        print(f"it {it:4d} query loss {loss.item():.3f} (average {average:.3f})")

xs, ys, xq, yq = draw_tasks(500)
with torch.no_grad():
    err = batched(meta, rates, xs, ys, xq, yq).mean()
    r2 = 1 - err / yq.var()
print(f"metric=r2 value={r2.item():.4f}")
