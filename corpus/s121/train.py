"""How do voters split between four parties? Soft labels from a poll, one net."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
districts, features, parties = 1200, 10, 4
X = torch.randn(districts, features)
taste = torch.randn(features, parties)
shares = torch.softmax(X @ taste * 0.6 + 0.8 * torch.sin(2 * X[:, :4]), dim=1)
X_train, X_test = X[:900], X[900:]
P_train, P_test = shares[:900], shares[900:]


class Poll(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.inp = nn.Linear(features, width)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, parties)

    def forward(self, x):
        return torch.softmax(self.out(torch.nn.functional.mish(self.norm(self.inp(x)))), dim=1)


model = Poll()
divergence = nn.KLDivLoss(reduction="batchmean")
optimizer = torch.optim.NAdam(model.parameters(), lr=3e-3)
for epoch in range(25):
    for rows in torch.randperm(900).split(60):
        optimizer.zero_grad()
        loss = divergence(model(X_train[rows]), P_train[rows])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1:2d}  divergence {loss.item():.4f}")

model.eval()
with torch.no_grad():
    guess = model(X_test)
    guess = guess / guess.sum(1, keepdim=True)
    unexplained = ((guess - P_test) ** 2).sum() / ((P_test - P_train.mean(0)) ** 2).sum()
print(f"metric=r2 value={1 - unexplained.item():.4f}")
