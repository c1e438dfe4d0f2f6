import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X = torch.tensor(d.images[:, None] / 16.0, dtype=torch.float32)
y = torch.tensor(d.target)
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(2))
X, y = X[perm], y[perm]
low, high = y < 5, y >= 5


class Net(nn.Module):
    def __init__(self, n_out):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                                  nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.head = nn.Linear(128, n_out)

    def forward(self, x):
        return self.head(self.body(x))


def fit(net, opt, x, t, epochs, on_epoch=None):
    for e in range(epochs):
        if on_epoch:
            on_epoch(e)
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), t[i])
            loss.backward()
            opt.step()
        print(f"epoch {e} loss {loss.item():.4f}")


# pre-training on 0..4
net = Net(5)
fit(net, torch.optim.Adam(net.parameters(), lr=2e-3), X[low], y[low], 4)

# 5..9: new head first, then the body joins with a small rate
xh, yh = X[high], y[high] - 5
net.head = nn.Linear(128, 5)
for p in net.body.parameters():
    p.requires_grad_(False)
opt = torch.optim.Adam(net.head.parameters(), lr=3e-3)


def unfreeze(epoch):
    if epoch == 4:
        for p in net.body.parameters():
            p.requires_grad_(True)
        opt.add_param_group({"params": net.body.parameters(), "lr": 3e-4})


fit(net, opt, xh[:600], yh[:600], 8, unfreeze)
with torch.no_grad():
    acc = (net(xh[600:]).argmax(1) == yh[600:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
