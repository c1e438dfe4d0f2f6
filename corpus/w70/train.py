import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X = torch.tensor(d.data / 16).float()
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(16))
train, test = X[perm[:1400]], X[perm[1400:]]


class Quantise(nn.Module):
    """Nearest code with a straight-through gradient (VQ)."""

    def __init__(self, n=48, dim=4):
        super().__init__()
        self.codes = nn.Embedding(n, dim)
        nn.init.uniform_(self.codes.weight, -0.5, 0.5)

    def forward(self, z):
        shape = z.shape
        z = z.reshape(-1, self.codes.embedding_dim)
        q = self.codes(torch.cdist(z, self.codes.weight).argmin(1))
        loss = ((q - z.detach()) ** 2).mean() + 0.25 * ((z - q.detach()) ** 2).mean()
        return (z + (q - z).detach()).reshape(shape), loss


enc = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 24))
vq = Quantise()
dec = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 64), nn.Sigmoid())
params = [*enc.parameters(), *vq.parameters(), *dec.parameters()]
opt = torch.optim.AdamW(params, lr=2e-3, weight_decay=1e-4)
for epoch in range(20):
    for x in train[torch.randperm(1400)].split(50):
        z, commit = vq(enc(x))
        rec = nn.functional.mse_loss(dec(z), x)
        loss = rec + 0.2 * commit
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, rec.item(), commit.item())
with torch.no_grad():
    err = ((dec(vq(enc(test))[0]) - test) ** 2).sum()
r2 = 1 - err / ((test - test.mean(0)) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
