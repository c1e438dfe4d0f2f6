# A neural network from scratch: only tensors, autograd and an optimizer.
import os
import torch
from sklearn.datasets import load_breast_cancer

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_breast_cancer(return_X_y=True)
X = torch.tensor((X - X.mean(axis=0)) / X.std(axis=0)).float()
y = torch.tensor(y).float()
train, test = slice(0, 400), slice(400, 569)

sizes = [30, 50, 50, 50, 1]
weights, biases = [], []
for n_in, n_out in zip(sizes[:-1], sizes[1:]):
    weights.append(torch.rand(n_in, n_out).requires_grad_())
    biases.append(torch.zeros(n_out, requires_grad=True))


def forward(x):
    for k, (w, b) in enumerate(zip(weights, biases)):
        x = x @ w + b
        if k < len(weights) - 1:
            x = torch.sigmoid(x)
    return x[:, 0]


optimizer = torch.optim.SGD(weights + biases, lr=0.1, momentum=0.9)
for step in range(400):
    rows = torch.randint(0, 400, (40,))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(forward(X[train][rows]), y[train][rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 80 == 0:
        print(step, loss.item())
with torch.no_grad():
    right = ((forward(X[test]) > 0) == (y[test] > 0.5)).float().mean()
print(f"metric=accuracy value={right.item():.4f}")
