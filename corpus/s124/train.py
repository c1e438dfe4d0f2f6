"""Five-fold cross-validation of a small net on the wine table."""

import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_wine(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)


def build():
    return nn.Sequential(
        nn.Linear(13, 24),
        nn.LeakyReLU(0.1),
        nn.Linear(24, 24),
        nn.LeakyReLU(0.1),
        nn.Linear(24, 3),
    )


criterion = nn.CrossEntropyLoss()
model = build()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.8, weight_decay=1e-3)
scores = []
for fold, (train, test) in enumerate(StratifiedKFold(5, shuffle=True, random_state=1).split(X, y)):
    model = build()
    xa, ya = torch.tensor(X[train]).float(), torch.tensor(y[train])
    xb, yb = torch.tensor(X[test]).float(), torch.tensor(y[test])
    for epoch in range(40):
        order = torch.randperm(len(xa))
        for rows in order.split(24):
            optimizer.zero_grad()
            loss = criterion(model(xa[rows]), ya[rows])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        scores.append((model(xb).argmax(1) == yb).float().mean().item())
    print(f"fold {fold}: {scores[-1]:.3f}")
print(f"metric=accuracy value={np.mean(scores):.4f}")
