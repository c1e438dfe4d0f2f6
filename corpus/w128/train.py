import os
import numpy as np
import torch
from sklearn.datasets import make_gaussian_quantiles

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

X, Y = make_gaussian_quantiles(mean=None, cov=0.5, n_samples=300, n_features=2, n_classes=2, random_state=8)
X = torch.tensor(X, dtype=torch.float32)
Y = torch.tensor(Y, dtype=torch.float32).reshape(-1, 1)


class TwoLayerNet:
    def __init__(self, n_x, n_h, n_y):
        self.W1 = torch.randn(n_x, n_h) * 0.5
        self.b1 = torch.zeros(n_h)
        self.W2 = torch.randn(n_h, n_y) * 0.5
        self.b2 = torch.zeros(n_y)
        for p in self.parameters():
            p.requires_grad_()

    def parameters(self):
        return [self.W1, self.b1, self.W2, self.b2]

    def __call__(self, x):
        return torch.sigmoid(torch.tanh(x @ self.W1 + self.b1) @ self.W2 + self.b2)


net = TwoLayerNet(2, 8, 1)
for i in range(3000):
    A = net(X)
    cost = torch.nn.functional.binary_cross_entropy(A, Y)
    cost.backward()
    with torch.no_grad():
        for p in net.parameters():
            p -= 1.2 * p.grad
            p.grad.zero_()
    if i % 500 == 0:
        print("Cost after iteration %d: %.6f" % (i, cost.item()))

acc = ((net(X) > 0.5) == (Y > 0.5)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
