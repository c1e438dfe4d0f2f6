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

net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
it = iter(torch.randperm(len(xa)).repeat(5).split(64))
for step in range(100):
    i = next(it)
    opt.zero_grad()
    loss = F.cross_entropy(net(xa[i]), ya[i])
    loss.backward()
    opt.step()
    if step % 20 == 0:
        print(step, loss.item())
acc = (net(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
