"""Fit the four rates of a Lotka-Volterra system to 20 years of hare / lynx counts."""
import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", 0))
rng = np.random.default_rng(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def rhs(z, p):
    hare, lynx = z[..., 0], z[..., 1]
    a, b, c, d = p
    return torch.stack([a * hare - b * hare * lynx, d * hare * lynx - c * lynx], -1)


def rk4(z0, p, n, h):
    out, z = [z0], z0
    for _ in range(n):
        k1 = rhs(z, p)
        k2 = rhs(z + h / 2 * k1, p)
        k3 = rhs(z + h / 2 * k2, p)
        k4 = rhs(z + h * k3, p)
        z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        out.append(z)
    return torch.stack(out)


H = 0.1
true = torch.tensor([0.55, 1.4e-4, 0.80, 2.2e-5])
z0 = torch.tensor([30000.0, 4000.0])
clean = rk4(z0, true, 200, H)[::5]
counts = clean * torch.tensor(np.exp(0.02 * rng.standard_normal(clean.shape)))

# shoot from each observation to the next one
starts, ends = counts[:-1], counts[1:]
train, test = slice(0, 28), slice(28, 40)

params = torch.tensor([0.4, 1.0e-4, 1.0, 3.0e-5]).log().requires_grad_()


def rates():
    return params.exp()


def loss_fn(s):
    pred = rk4(starts[s], rates(), 5, H)[-1]
    return ((pred - ends[s]) / starts[train].mean(0)).square().mean()


opt = torch.optim.Adam([params], lr=0.01)
for it in range(400):
    opt.zero_grad()
    loss = loss_fn(train)
    loss.backward()
    opt.step()
    if it % 50 == 0:
        print(it, f"{loss.item():.5g}", [f"{v:.3g}" for v in rates().tolist()])

with torch.no_grad():
    pred = rk4(starts[test], rates(), 5, H)[-1]
    res = ((pred - ends[test]) ** 2).sum(0)
    tot = ((ends[test] - ends[test].mean(0)) ** 2).sum(0)
    r2 = (1 - res / tot).mean().item()
print(f"metric=r2 value={r2:.4f}")
