import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_diabetes(return_X_y=True)
X = X / X.std(0)
y = (y - y.mean()) / y.std()
Xtr, Xte, ytr, yte = train_test_split(X, y, test_size=0.25, random_state=1)
Xtr, Xte, ytr, yte = [torch.tensor(a, dtype=torch.float32) for a in (Xtr, Xte, ytr, yte)]


class ProbRegressor(nn.Module):
    """Predicts a mean and a variance for every patient."""

    def __init__(self, d, h=48):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(d, h), nn.Tanh(), nn.Linear(h, h), nn.Tanh())
        self.mean = nn.Linear(h, 1)
        self.var = nn.Linear(h, 1)

    def forward(self, x):
        h = self.body(x)
        return self.mean(h).squeeze(1), F.relu(self.var(h)).squeeze(1)


def nll(mu, var, target):
    return (0.5 * torch.log(var) + 0.5 * (target - mu) ** 2 / var).mean()


net = ProbRegressor(10)
opt = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-3)
for epoch in range(40):
    for i in torch.randperm(len(Xtr)).split(32):
        mu, var = net(Xtr[i])
        loss = nll(mu, var, ytr[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch}  nll {loss.item():.3f}")
with torch.no_grad():
    mu, _ = net(Xte)
r2 = 1 - ((mu - yte) ** 2).sum() / ((yte - yte.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
