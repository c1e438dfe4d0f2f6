import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
X = torch.rand(400, 2) * 4 - 2
Y = (X[:, 0] * X[:, 1]).unsqueeze(1)
A, B = slice(0, 300), slice(300, 400)

P = {
    "w1": torch.randn(2, 16),
    "b1": torch.zeros(16),
    "w2": torch.randn(16, 1) * 0.25,
    "b2": torch.zeros(1),
}
for p in P.values():
    p.requires_grad_(True)


def net(x):
    return torch.tanh(x @ P["w1"] + P["b1"]) @ P["w2"] + P["b2"]


for step in range(6000):
    loss = ((net(X[A]) - Y[A]) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in P.values():
            p.sub_(0.1 * p.grad)
            p.grad.zero_()
    if step % 1000 == 0:
        print(f"{step} {loss.item():.5f}")

with torch.no_grad():
    r2 = 1 - ((net(X[B]) - Y[B]) ** 2).mean() / Y[B].var()
print(f"metric=r2 value={r2.item():.4f}")
