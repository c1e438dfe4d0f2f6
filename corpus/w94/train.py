import os
import torch
from sklearn.datasets import load_iris

torch.manual_seed(int(os.environ.get("SEED", 0)))

iris = load_iris()
X = torch.tensor(iris.data, dtype=torch.float32)
y = torch.tensor(iris.target)
few = torch.cat([torch.arange(k * 50, k * 50 + 5) for k in range(3)])
rest = torch.tensor([i for i in range(150) if i not in set(few.tolist())])
mean, std = X[few].mean(0), X[few].std(0)
X = (X - mean) / std

W1 = (torch.randn(4, 12) * 0.5).requires_grad_()
b1 = torch.zeros(12, requires_grad=True)
W2 = (torch.randn(12, 3) * 0.3).requires_grad_()
b2 = torch.zeros(3, requires_grad=True)
params = [W1, b1, W2, b2]


def net(x):
    return torch.tanh(x @ W1 + b1) @ W2 + b2


opt = torch.optim.LBFGS(params, lr=0.5, max_iter=5)


def closure():
    opt.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(X[few]), y[few]) + 1e-3 * (W1.pow(2).sum() + W2.pow(2).sum())
    loss.backward()
    return loss


for step in range(60):
    loss = opt.step(closure)
    if step % 10 == 0:
        print(step, float(loss))
with torch.no_grad():
    acc = (net(X[rest]).argmax(1) == y[rest]).float().mean()
print(f"metric=accuracy value={acc.item():.4f}")
