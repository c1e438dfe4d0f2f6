import argparse
import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--lr", type=float, default=0.5)
parser.add_argument("--batch-size", type=int, default=64)
args = parser.parse_args()
torch.manual_seed(int(os.environ.get("SEED", 0)))

X, y = load_digits(return_X_y=True)
X = torch.tensor(X / 16, dtype=torch.float32)
Y = torch.eye(10)[torch.tensor(y)]
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(4))
tr, te = perm[:1350], perm[1350:]

model = nn.Sequential(nn.Linear(64, 100), nn.Sigmoid(), nn.Linear(100, 10), nn.Softmax(dim=1))
opt = torch.optim.SGD(model.parameters(), lr=args.lr)
for epoch in range(args.epochs):
    for idx in tr[torch.randperm(len(tr))].split(args.batch_size):
        opt.zero_grad()
        loss = -(Y[idx] * torch.log(model(X[idx]) + 1e-9)).sum(1).mean()
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}/{args.epochs} - loss: {loss.item():.4f}")

with torch.no_grad():
    acc = (model(X[te]).argmax(1) == Y[te].argmax(1)).float().mean()
print(f"metric=accuracy value={acc.item():.4f}")
