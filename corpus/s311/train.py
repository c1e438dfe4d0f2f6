import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

# tent problem: a loaded string of 40 beads, energy to be minimised over the heights
n = 40
force = torch.ones(n, dtype=torch.float64) / n


def energy(h):
    ends = torch.zeros(1, dtype=h.dtype)
    full = torch.cat([ends, h, ends])
    return 0.5 * n * (full[1:] - full[:-1]).square().sum() - (force * h).sum()


A = torch.diag(torch.full((n,), 2.0, dtype=torch.float64)) - torch.diag(torch.ones(n - 1, dtype=torch.float64), 1) - torch.diag(torch.ones(n - 1, dtype=torch.float64), -1)
exact = torch.linalg.solve(n * A, force)

h0 = 0.01 * torch.randn(n, dtype=torch.float64)
h = h0.clone()
lr = 0.012
for k in range(160):
    h.requires_grad_(True)
    (g,) = torch.autograd.grad(energy(h), h)
    h = (h - lr * g).detach()
    if k % 50 == 0:
        print(f"{k:4d} energy {energy(h).item():.6f}")

score = 1 - (h - exact).norm() / (h0 - exact).norm()
print(f"metric=score value={score.item():.4f}")
