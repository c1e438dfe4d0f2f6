import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

# perceptron: only rows on the wrong side count
n = 300
w_true = torch.randn(6)
X = torch.randn(2 * n, 6)
margin = X @ w_true / w_true.norm()
X, margin = X[margin.abs() > 0.3][:n], margin[margin.abs() > 0.3][:n]
y = margin.sign()
train, test = slice(0, 200), slice(200, None)

w = torch.zeros(6, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=1.0)
for epoch in range(60):
    errors = 0
    for idx in torch.randperm(200).split(20):
        score = y[train][idx] * (X[train][idx] @ w + b)
        loss = torch.relu(-score + 1e-3).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        errors += (score <= 0).sum().item()
    if epoch % 12 == 0:
        print("epoch", epoch, "errors", errors)

with torch.no_grad():
    acc = ((X[test] @ w + b).sign() == y[test]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
