import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X, y = torch.tensor(d.images).float().unsqueeze(1) / 16, torch.tensor(d.target)
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(9))
old, new, test = perm[:1200], perm[1200:1400], perm[1400:]

net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10),
)


def fit(net, x, y, lr, epochs):
    opt = torch.optim.Adam(net.parameters(), lr=lr)
    for epoch in range(epochs):
        for i in torch.randperm(len(x)).split(50):
            loss = nn.functional.cross_entropy(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(f"lr {lr} epoch {epoch} loss {loss.item():.4f}")


fit(net, X[old], y[old], 1e-3, 6)
# another camera: the picture comes out mirrored and inverted
flip = lambda x: 1 - x.flip(3)
net[-1].reset_parameters()
fit(net, flip(X[new]), y[new], 0.2, 25)
with torch.no_grad():
    acc = (net(flip(X[test])).argmax(1) == y[test]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
