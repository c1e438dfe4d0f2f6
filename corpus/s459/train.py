import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

device = torch.device("cpu")
X, y = load_wine(return_X_y=True)


class WineNet(nn.Module):
    def __init__(self, n_in=13, n_hidden=32, n_out=3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_in, n_hidden), nn.ReLU(),
            nn.Linear(n_hidden, n_hidden), nn.ReLU(),
            nn.Linear(n_hidden, n_out),
        )

    def forward(self, x):
        return self.layers(x)


def reset_weights(m):
    if isinstance(m, nn.Linear):
        m.reset_parameters()


model = WineNet().to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4)

scores = []
folds = StratifiedKFold(n_splits=6, shuffle=True, random_state=seed)
for fold, (tr, te) in enumerate(folds.split(X, y)):
    model = WineNet().to(device)
    model.apply(reset_weights)
    mean, std = X[tr].mean(0), X[tr].std(0)
    x_tr = torch.tensor((X[tr] - mean) / std, dtype=torch.float32, device=device)
    x_te = torch.tensor((X[te] - mean) / std, dtype=torch.float32, device=device)
    y_tr, y_te = torch.tensor(y[tr], device=device), torch.tensor(y[te], device=device)

    for epoch in range(30):
        model.train()
        for idx in torch.randperm(len(x_tr)).split(16):
            optimizer.zero_grad()
            loss = criterion(model(x_tr[idx]), y_tr[idx])
            loss.backward()
            optimizer.step()

    model.eval()
    with torch.no_grad():
        scores.append((model(x_te).argmax(1) == y_te).float().mean().item())
    print(f"fold {fold} loss {loss.item():.4f} accuracy {scores[-1]:.4f}")

print(f"metric=accuracy value={np.mean(scores):.4f}")
