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

net = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))
opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
sched = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.1, patience=1, threshold=0.05)
for epoch in range(25):
    total = 0.0
    for i in torch.randperm(len(xa)).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(xa[i]), ya[i])
        loss.backward()
        opt.step()
        total += loss.item() * len(i)
    with torch.no_grad():
        val = F.cross_entropy(net(xb), yb).item()
    sched.step(val)
    print(epoch, round(total / len(xa), 5), round(val, 4), opt.param_groups[0]["lr"])
acc = (net(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
