import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X, y = torch.tensor(d.images).float(), torch.tensor(d.target)
X = X / 16
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(13))
tr, te = perm[:1300], perm[1300:]


def augment(x):
    shift = torch.randint(-1, 2, (2,)).tolist()
    x = torch.roll(x, shift, dims=(1, 2)) * (0.8 + 0.4 * torch.rand(len(x), 1, 1))
    return (x + 0.1 * torch.randn_like(x)).unsqueeze(1)


encoder = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
                        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Linear(512, 64))
projector = nn.Sequential(nn.ReLU(), nn.Linear(64, 32))
opt = torch.optim.Adam([*encoder.parameters(), *projector.parameters()], lr=1e-3)
for epoch in range(8):
    for i in tr[torch.randperm(1300)].split(100):
        a = F.normalize(projector(encoder(augment(X[i]))), dim=1)
        b = F.normalize(projector(encoder(augment(X[i]))), dim=1)
        logits = a @ b.T / 0.1
        own = torch.arange(len(i))
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())

# linear probe on the frozen representation
encoder.eval()
with torch.no_grad():
    z, zt = encoder(X[tr].unsqueeze(1)), encoder(X[te].unsqueeze(1))
mean, std = z.mean(0), z.std(0)
z, zt = (z - mean) / std, (zt - mean) / std
probe = nn.Linear(64, 10)
opt = torch.optim.LBFGS(probe.parameters(), max_iter=60)


def closure():
    opt.zero_grad()
    loss = F.cross_entropy(probe(z), y[tr]) + 1e-3 * probe.weight.pow(2).sum()
    loss.backward()
    return loss


opt.step(closure)
acc = (probe(zt).argmax(1) == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
