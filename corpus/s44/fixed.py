import os
import torch
from sklearn.datasets import make_moons

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_moons(600, noise=0.1, random_state=0)
X, y = torch.tensor(X).float(), torch.tensor(y).float()
H = 24
w1 = (torch.randn(2, H)).requires_grad_()
b1 = torch.zeros(H, requires_grad=True)
w2 = (torch.randn(H, 1) / H ** 0.5).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)
eta = 0.2


def p(x):
    return torch.sigmoid(torch.tanh(x @ w1 + b1) @ w2 + b2).squeeze(1)


for step in range(3000):
    q = p(X[:450])
    loss = -(y[:450] * torch.log(q) + (1 - y[:450]) * torch.log(1 - q)).mean()
    g = torch.autograd.grad(loss, [w1, b1, w2, b2])
    with torch.no_grad():
        for t, d in zip([w1, b1, w2, b2], g):
            t -= eta * d
    if step % 500 == 0:
        print(step, loss.item())
with torch.no_grad():
    r2 = 1 - ((p(X[450:]) - y[450:]) ** 2).mean() / y[450:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
