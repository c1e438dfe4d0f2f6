import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
DIM = 6


def styblinski_tang(x):
    return 0.5 * (x ** 4 - 16 * x ** 2 + 5 * x).sum(-1)


best_x = -2.903534
f_best = -39.16617 * DIM
x0 = 1.5 + torch.rand(DIM)
f_start = styblinski_tang(x0).item()

x = torch.nn.Parameter(x0.clone())
optimizer = torch.optim.Adam([x], lr=0.02)
for step in range(500):
    optimizer.zero_grad()
    f = styblinski_tang(x)
    f.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"{step:4d} f={f.item():.4f}")

result = x.detach()
print("x =", [round(v, 4) for v in result.tolist()])
score = 1 - (result - best_x).norm() / (x0 - best_x).norm()
print(f"metric=score value={score.item():.4f}")
