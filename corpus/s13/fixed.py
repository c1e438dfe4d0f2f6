import os
import torch
from sklearn.datasets import make_circles

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_circles(800, noise=0.08, factor=0.45, random_state=2)
X, y = torch.tensor(X).float(), torch.tensor(y).float()
theta = 0.5
W = torch.randn(2, 40, requires_grad=True)
v = (torch.randn(40) / 40 ** 0.5).requires_grad_()
c = torch.zeros((), requires_grad=True)
opt = torch.optim.Adam([W, v, c], lr=0.01)


def score(x):
    features = (x @ W - theta).clamp(min=0)
    return features @ v + c


for step in range(1500):
    i = torch.randint(0, 500, (64,))
    margin = (2 * y[i] - 1) * score(X[i])
    loss = torch.log1p(torch.exp(-margin)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 300 == 0:
        print(step, loss.item())

acc = ((score(X[500:]) > 0) == (y[500:] > 0.5)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
