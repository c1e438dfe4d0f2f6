import os
import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_diabetes(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)
perm = torch.randperm(len(X))
tr, te = perm[:330], perm[330:]

w1 = torch.empty(64, 10)
w2 = torch.empty(64, 64)
w3 = torch.empty(1, 64)
for w in (w1, w2, w3):
    torch.nn.init.kaiming_normal_(w).requires_grad_()
b1, b2, b3 = (torch.zeros(k, requires_grad=True) for k in (64, 64, 1))


def forward(x):
    h = F.relu(F.linear(x, w1, b1))
    h = F.relu(F.linear(h, w2, b2))
    return F.linear(h, w3, b3).squeeze(1)


optimizer = torch.optim.SGD([w1, b1, w2, b2, w3, b3], lr=0.01)
for epoch in range(60):
    for idx in tr[torch.randperm(len(tr))].split(33):
        optimizer.zero_grad()
        loss = F.huber_loss(forward(X[idx]), y[idx])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    r2 = 1 - F.mse_loss(forward(X[te]), y[te]) / y[te].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
