# Exercise 4.3: second order descent on Himmelblau's function
import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_default_dtype(torch.float64)


def himmelblau(p):
    x, y = p
    return (x ** 2 + y - 11) ** 2 + (x + y ** 2 - 7) ** 2


p = torch.tensor([0.3, 2.2]) + 0.1 * torch.randn(2)
p.requires_grad_(True)
print("start", p.tolist(), "f =", round(himmelblau(p).item(), 4))

step_size = 0.5
history = []
for it in range(120):
    loss = himmelblau(p)
    loss.backward()
    H = torch.autograd.functional.hessian(himmelblau, p.detach())
    eigval, Q = torch.linalg.eigh(H)
    direction = Q @ ((Q.T @ p.grad) / eigval.abs())
    with torch.no_grad():
        p -= step_size * direction
    p.grad = None
    history.append(loss.item())
    if it % 20 == 0:
        print(f"iter {it:3d}  f={loss.item():.6f}  p=({p[0].item():.4f}, {p[1].item():.4f})")

with torch.no_grad():
    final = himmelblau(p).item()
print(f"metric=score value={1 / (1 + final):.4f}")
