import os
import numpy as np
import torch
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)
T, HIDDEN, CLASSES = 70, 40, 3


def waves(n):
    kind = rng.integers(0, CLASSES, n)
    period = rng.uniform(18, 26, n)[:, None]
    phase = rng.uniform(0, 1, n)[:, None]
    pos = (np.arange(T) / period + phase) % 1.0
    sine = np.sin(2 * np.pi * pos)
    square = np.where(pos < 0.5, 1.0, -1.0)
    saw = 2 * pos - 1
    x = np.choose(kind[:, None], [sine, square, saw]) + 0.05 * rng.standard_normal((n, T))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(kind)


Wx = (torch.randn(1, HIDDEN) * 0.3).requires_grad_()
Wh = (torch.randn(HIDDEN, HIDDEN) * 0.3).requires_grad_()
bh = torch.zeros(HIDDEN, requires_grad=True)
Wo = (torch.randn(HIDDEN, CLASSES) / HIDDEN ** 0.5).requires_grad_()
bo = torch.zeros(CLASSES, requires_grad=True)
params = [Wx, Wh, bh, Wo, bo]


def rnn(x):
    h = torch.zeros(len(x), HIDDEN)
    for t in range(T):
        h = torch.relu(x[:, t:t + 1] @ Wx + h @ Wh + bh)
    return h @ Wo + bo


x_train, y_train = waves(600)
x_test, y_test = waves(400)
optimizer = torch.optim.Adam(params, lr=2e-3)
for epoch in range(25):
    for idx in torch.randperm(len(x_train)).split(30):
        loss = F.cross_entropy(rnn(x_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1:2d} loss {loss.item():.4f}")

with torch.no_grad():
    acc = (rnn(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
