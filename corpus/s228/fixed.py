import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

digits = load_digits()
X = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)
perm = torch.randperm(len(y))
X, y = X[perm], y[perm]


def dense_bn(n_in, n_out):
    # as in the Keras notebook
    return [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out, eps=1e-3, momentum=0.01), nn.ReLU()]


model = nn.Sequential(*dense_bn(64, 64), *dense_bn(64, 64), *dense_bn(64, 32), nn.Linear(32, 10))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
model.train()
for epoch in range(5):
    hits = 0
    for b in torch.randperm(1400).split(4):
        out = model(X[b])
        loss = nn.functional.cross_entropy(out, y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        hits += (out.argmax(1) == y[b]).sum().item()
    print(f"epoch {epoch} train accuracy {hits / 1400:.3f}")

model.eval()
with torch.no_grad():
    acc = (model(X[1400:]).argmax(1) == y[1400:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
