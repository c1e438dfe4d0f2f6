import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))


class SparseNet(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.body = nn.Linear(n_in, n_hidden)
        self.head = nn.Linear(n_hidden, n_out)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(F.relu(self.body(x)))

    def penalty(self):
        inputs = self.body.weight.pow(2).sum(dim=0).sqrt().sum()
        units = self.head.weight.pow(2).sum(dim=0).sqrt().sum()
        return inputs + units


X, y = load_wine(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=3, stratify=y)
mean, std = Xa.mean(0), Xa.std(0)
to = lambda a: torch.tensor((a - mean) / std, dtype=torch.float32)
Xa, Xb, ya, yb = to(Xa), to(Xb), torch.tensor(ya), torch.tensor(yb)

net = SparseNet(13, 20, 3)
opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
for epoch in range(40):
    for rows in torch.randperm(len(Xa)).split(31):
        loss = F.cross_entropy(net(Xa[rows]), ya[rows]) + 1e-3 * net.penalty()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, f"{loss.item():.4f}")

with torch.no_grad():
    acc = (net(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
