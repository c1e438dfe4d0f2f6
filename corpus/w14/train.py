import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
xa, xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
xa, xb = torch.tensor(xa).float(), torch.tensor(xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


class Embed(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, x):
        return F.normalize(self.f(x), dim=1)


net = Embed()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(400):
    a = torch.randint(0, len(xa), (64,))
    b = torch.randint(0, len(xa), (64,))
    same = (ya[a] == ya[b]).float()
    d = (net(xa[a]) - net(xa[b])).pow(2).sum(1)
    loss = (same * d + (1 - same) * F.relu(1.0 - d)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 80 == 0:
        print(step, loss.item())
with torch.no_grad():
    za, zb = net(xa), net(xb)
    acc = (ya[torch.cdist(zb, za).argmin(1)] == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
