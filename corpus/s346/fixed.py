import os
import torch
import torch.nn.functional as F
from sklearn.datasets import make_moons
from sklearn.preprocessing import StandardScaler

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)

X, y = make_moons(n_samples=900, noise=0.12, random_state=SEED)
X = StandardScaler().fit_transform(X)
X = torch.as_tensor(X, dtype=torch.float32)
y = torch.as_tensor(y)
X_train, y_train, X_test, y_test = X[:600], y[:600], X[600:], y[600:]

sizes = [2, 32, 32, 2]
weights, biases = [], []
for n_in, n_out in zip(sizes[:-1], sizes[1:]):
    weights.append((torch.randn(n_in, n_out) * (2.0 / n_in) ** 0.5).requires_grad_())
    biases.append(torch.zeros(n_out, requires_grad=True))
params = weights + biases


def net(x):
    for W, b in zip(weights[:-1], biases[:-1]):
        x = torch.relu(x @ W + b)
    return x @ weights[-1] + biases[-1]


velocity = [torch.zeros_like(p) for p in params]
lr0, decay, momentum = 0.1, 0.3, 0.9

for epoch in range(100):
    lr = lr0 / (1 + decay * epoch)
    for idx in torch.randperm(600).split(50):
        loss = F.cross_entropy(net(X_train[idx]), y_train[idx])
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, v, g in zip(params, velocity, grads):
                v.mul_(momentum).add_(g)
                p.sub_(lr * v)
    if epoch % 10 == 0:
        print(f"epoch {epoch:3d}  loss {loss.item():.4f}")

with torch.no_grad():
    acc = (net(X_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
