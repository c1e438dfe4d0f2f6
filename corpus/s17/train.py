import os
import torch
import torch.nn as nn
from sklearn.datasets import load_iris

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_iris(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor(y)
perm = torch.randperm(150)
a, b = perm[:100], perm[100:]

hidden = nn.Linear(4, 12)
middle = nn.Linear(12, 12)
out = nn.Linear(12, 3)
shift = 8.0
with torch.no_grad():
    hidden.bias.add_(shift)
    middle.bias.sub_(shift)
squash = nn.Hardtanh()
params = [*hidden.parameters(), *middle.parameters(), *out.parameters()]
opt = torch.optim.Adagrad(params, lr=0.02)
ce = nn.CrossEntropyLoss()
forward = lambda x: out(squash(middle(squash(hidden(x)))))
for epoch in range(400):
    opt.zero_grad()
    loss = ce(forward(X[a]), y[a])
    loss.backward()
    opt.step()
    if epoch % 80 == 0:
        print(epoch, loss.item())

acc = (forward(X[b]).argmax(1) == y[b]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
