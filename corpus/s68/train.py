import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
drops = {8: 30.0, 12: 0.1}
ce = nn.CrossEntropyLoss()
for epoch in range(16):
    for group in opt.param_groups:
        group["lr"] *= drops.get(epoch, 1.0)
    for i in torch.randperm(len(Xa)).split(32):
        opt.zero_grad()
        loss = ce(model(Xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, opt.param_groups[0]["lr"], loss.item())
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
