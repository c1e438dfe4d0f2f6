import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import StandardScaler

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)

X, y = make_friedman1(n_samples=8000, n_features=10, noise=0.5, random_state=SEED)
X = StandardScaler().fit_transform(X)
y = (y - y.mean()) / y.std()
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
X_tr, y_tr, X_te, y_te = X[:7000], y[:7000], X[7000:], y[7000:]


def layer(n_in, n_out):
    lin = nn.Linear(n_in, n_out)
    lin.weight.data = torch.randn(n_out, n_in)
    lin.bias.data = torch.zeros(n_out)
    return lin


net = nn.Sequential()
width, depth = 50, 6
n = 10
for k in range(depth):
    net.add_module(f"fc{k}", layer(n, width))
    net.add_module(f"tanh{k}", nn.Tanh())
    n = width
net.add_module("out", nn.Linear(n, 1))

opt = torch.optim.Adam(net.parameters(), lr=1e-3)
lossf = nn.MSELoss()
for epoch in range(12):
    perm = torch.randperm(len(X_tr))
    losses = []
    for s in range(0, len(X_tr), 50):
        b = perm[s:s + 50]
        loss = lossf(net(X_tr[b]), y_tr[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    if epoch % 2 == 1:
        with torch.no_grad():
            val = lossf(net(X_te), y_te).item()
        print(f"epoch {epoch + 1}: train {np.mean(losses):.4f} val {val:.4f}")

with torch.no_grad():
    r2 = 1 - lossf(net(X_te), y_te) / y_te.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
