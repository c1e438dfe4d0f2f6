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

net = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10))
opt = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-2)
for epoch in range(8):
    for i in torch.randperm(len(xa)).split(64):
        opt.zero_grad()
        loss = F.cross_entropy(net(xa[i]), ya[i])
        penalty = 2e-3 * net[0].weight.abs().sum()
        (loss + penalty).backward()
        opt.step()
    dead = (torch.relu(net[0](xa)) > 0).any(0).logical_not().float().mean().item()
    print(epoch, loss.item(), round(dead, 3))
acc = (net(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
