import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
torch.set_num_threads(1)

X, y = load_digits(return_X_y=True)
X = torch.tensor(X / 16.0, dtype=torch.float32).view(-1, 1, 8, 8)
y = torch.tensor(y)
tr, te = train_test_split(range(len(X)), test_size=0.25, random_state=seed, stratify=y)
Xtr, ytr, Xte, yte = X[tr], y[tr], X[te], y[te]


class ProxyLoss(nn.Module):
    """Normalised softmax over learnable class proxies."""

    def __init__(self, classes, dim, scale=12.0, margin=0.1):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(classes, dim))
        self.scale, self.margin = scale, margin

    def similarity(self, e):
        return F.normalize(e, dim=1) @ F.normalize(self.proxies, dim=1).t()

    def forward(self, e, t):
        s = self.similarity(e) - self.margin * F.one_hot(t, len(self.proxies))
        return F.cross_entropy(self.scale * s, t)


trunk = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(128, 32),
)
criterion = ProxyLoss(10, 32)
optimizer = torch.optim.SGD(trunk.parameters(), lr=0.03, momentum=0.9)
loss_optimizer = torch.optim.Adam(criterion.parameters(), lr=1e-2)

ACCUM = 2
for epoch in range(12):
    order = torch.randperm(len(Xtr)).split(32)
    mean = 0.0
    for i, idx in enumerate(order):
        loss = criterion(trunk(Xtr[idx]), ytr[idx]) / ACCUM
        loss.backward()
        mean += loss.item() * ACCUM / len(order)
        if (i + 1) % ACCUM == 0:
            optimizer.step()
            loss_optimizer.step()
            loss_optimizer.zero_grad()
    print(f"epoch {epoch}: {mean:.4f}")

with torch.no_grad():
    acc = (criterion.similarity(trunk(Xte)).argmax(1) == yte).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
