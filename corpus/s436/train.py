import os
import torch
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", "0")))

X, y = load_digits(return_X_y=True)
Xtr, Xte, ytr, yte = train_test_split(X, y, test_size=0.25, random_state=3, stratify=y)
sc = StandardScaler().fit(Xtr)
Xtr = torch.tensor(sc.transform(Xtr), dtype=torch.float32)
Xte = torch.tensor(sc.transform(Xte), dtype=torch.float32)
ytr, yte = torch.tensor(ytr), torch.tensor(yte)

H = 40
W1 = (torch.randn(64, H) / 8).requires_grad_()
b1 = torch.zeros(H, requires_grad=True)
W2 = (torch.randn(H, 10) / H ** 0.5).requires_grad_()
b2 = torch.zeros(10, requires_grad=True)
params = [W1, b1, W2, b2]


def forward(x):
    hidden = (x @ W1 + b1).clamp(min=0)
    return hidden @ W2 + b2


def nll(scores, target):
    logp = scores - scores.logsumexp(dim=1, keepdim=True)
    return -logp[torch.arange(len(target)), target].mean()


def sgd(params, lr):
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad


batch_size = 50
for epoch in range(40):
    order = torch.randperm(len(Xtr))
    total = 0.0
    for start in range(0, len(Xtr), batch_size):
        rows = order[start:start + batch_size]
        loss = nll(forward(Xtr[rows]), ytr[rows])
        loss.backward()
        sgd(params, lr=0.3)
        total += loss.item() * len(rows)
    if epoch % 5 == 0:
        print(f"epoch {epoch}, train loss {total / len(Xtr):.4f}")

with torch.no_grad():
    acc = (forward(Xte).argmax(1) == yte).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
