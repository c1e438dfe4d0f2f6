import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))

USERS, ITEMS, RANK = 150, 100, 4
taste = torch.randn(USERS, RANK) / RANK ** 0.5
trait = torch.randn(ITEMS, RANK)
harsh = 0.4 * torch.randn(USERS, 1)
stars = 3.4 + harsh + taste @ trait.T + 0.3 * torch.randn(USERS, ITEMS)

draw = torch.rand(USERS, ITEMS)
seen, held_out = draw < 0.35, draw > 0.85
seen[:3] = False
held_out[:3] = False
average = stars[seen].mean()

U = (0.3 * torch.randn(USERS, RANK)).requires_grad_()
V = (0.3 * torch.randn(ITEMS, RANK)).requires_grad_()
bu = torch.zeros(USERS, 1, requires_grad=True)
bi = torch.zeros(ITEMS, requires_grad=True)
weights = [U, V, bu, bi]
velocity = [torch.zeros_like(p) for p in weights]


def predict():
    return average + bu + bi + U @ V.T


def objective():
    error = (predict() - stars)[seen]
    penalty = sum(p.pow(2).sum() for p in weights)
    return 0.5 * error.pow(2).sum() + 0.5 * 1.0 * penalty


step_size, beta = 0.004, 0.9
for it in range(6000):
    value = objective()
    for p in weights:
        p.grad = None
    value.backward()
    with torch.no_grad():
        for p, v in zip(weights, velocity):
            v.mul_(beta).sub_(step_size * p.grad)
            p.add_(v)
    if it % 500 == 0:
        print(f"{it:5d} objective {value.item():10.3f}")

with torch.no_grad():
    truth = stars[held_out]
    r2 = 1 - (predict()[held_out] - truth).pow(2).mean() / truth.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
