import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

X = torch.tensor([[0., 0.], [0., 1.], [1., 0.], [1., 1.]])
T = torch.tensor([[0.], [0.], [0.], [1.]])

W = torch.randn(2, 1).requires_grad_()
b = torch.randn(1).requires_grad_()
lr = 5.0

for epoch in range(4000):
    z = X @ W + b
    out = 1 / (1 + torch.exp(-z))
    cost = 0.5 * ((out - T) ** 2).mean()
    cost.backward()
    with torch.no_grad():
        W -= lr * W.grad
        b -= lr * b.grad
    W.grad = None
    b.grad = None
    if epoch % 500 == 0:
        print(epoch, cost.item())

with torch.no_grad():
    out = torch.sigmoid(X @ W + b)
    print(out.flatten().tolist())
    r2 = 1 - ((out - T) ** 2).mean() / T.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
