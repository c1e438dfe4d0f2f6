import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
data = load_digits()
x = torch.tensor(data.data / 16, dtype=torch.float32)
y = torch.tensor(data.target)
shuffle = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
x, y = x[shuffle], y[shuffle]


def pairs(low, high, n):
    i = torch.randint(low, high, (n,))
    j = torch.randint(low, high, (n,))
    half = n // 2
    for r in range(half):
        same = torch.nonzero(y[low:high] == y[i[r]]).flatten() + low
        j[r] = same[torch.randint(len(same), (1,))]
    return i, j, (y[i] == y[j])


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, a, b):
        return self.enc(a), self.enc(b)


net = Siamese()
criterion = nn.CosineEmbeddingLoss(margin=0.0)
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(400):
    i, j, same = pairs(0, 1300, 64)
    target = same.float() * 2 - 1
    a, b = net(x[i], x[j])
    loss = criterion(a, b, target)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(f"step {step} loss {loss.item():.4f}")

with torch.no_grad():
    i, j, same = pairs(1300, len(x), 400)
    a, b = net(x[i], x[j])
    said = torch.cosine_similarity(a, b) > 0.5
    acc = 0.5 * ((said & same).sum() / same.sum() + (~said & ~same).sum() / (~same).sum())
print(f"metric=balanced_accuracy value={acc.item():.4f}")
