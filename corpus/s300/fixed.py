import os
import copy
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16.0, dtype=torch.float32), torch.tensor(y)
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(1))
X, y = X[order], y[order]

# five annotators a picture, each wrong one time in eight
votes = torch.where(torch.rand(len(y), 5) < 0.125, torch.randint(0, 10, (len(y), 5)), y[:, None])
soft = nn.functional.one_hot(votes, 10).float().mean(1)

n_train = 1300
model = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 10))


def kl_loss(target, logits):
    logp = torch.log_softmax(logits, dim=1)
    return (torch.xlogy(target, target) - target * logp).sum(dim=1).mean()


optimizer = torch.optim.NAdam(model.parameters(), lr=3e-3)
best_loss, best_state = float("inf"), copy.deepcopy(model.state_dict())
for epoch in range(15):
    epoch_loss = 0.0
    for idx in torch.randperm(n_train).split(50):
        optimizer.zero_grad()
        loss = kl_loss(soft[idx], model(X[idx]))
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / 26
    if epoch_loss < best_loss:
        best_loss, best_state = epoch_loss, copy.deepcopy(model.state_dict())
    print(f"epoch {epoch} | kl {epoch_loss:.4f}")

model.load_state_dict(best_state)
with torch.no_grad():
    acc = (model(X[n_train:]).argmax(1) == y[n_train:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
