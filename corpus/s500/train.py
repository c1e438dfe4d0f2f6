import copy
import os

import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import StandardScaler

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

X, y = make_friedman1(n_samples=1000, n_features=8, noise=0.3, random_state=seed)
X = StandardScaler().fit_transform(X)
y = StandardScaler().fit_transform(y.reshape(-1, 1))
X, y = torch.tensor(X).float(), torch.tensor(y).float()
X_tr, X_te, y_tr, y_te = X[:800], X[800:], y[:800], y[800:]

N_MEMBERS = 3


def reset(module):
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()


base = nn.Sequential(
    nn.Linear(8, 40),
    nn.ELU(),
    nn.Linear(40, 40),
    nn.ELU(),
    nn.Linear(40, 1),
)
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(base.parameters(), lr=3e-3)

members = []
for k in range(N_MEMBERS):
    member = copy.deepcopy(base)
    member.apply(reset)
    members.append(member)

for k, member in enumerate(members):
    bag = torch.randint(0, len(X_tr), (len(X_tr),))
    for epoch in range(40):
        for idx in bag[torch.randperm(len(bag))].split(40):
            optimizer.zero_grad()
            loss = loss_fn(member(X_tr[idx]), y_tr[idx])
            loss.backward()
            optimizer.step()
        if epoch % 10 == 9:
            print(f"member {k} epoch {epoch + 1} loss {loss.item():.4f}")

with torch.no_grad():
    mean_pred = torch.stack([m(X_te) for m in members]).mean(0)
    r2 = 1 - loss_fn(mean_pred, y_te) / y_te.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
