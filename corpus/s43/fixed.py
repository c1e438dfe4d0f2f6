import os
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_wine(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
Xa, Xb, ya, yb = train_test_split(torch.tensor(X).float(), torch.tensor(y), test_size=0.4, random_state=1, stratify=y)
model = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
opt = torch.optim.SGD(model.parameters(), lr=0.05)
scheduler = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
ce = nn.CrossEntropyLoss()
for epoch in range(80):
    for i in torch.randperm(len(Xa)).split(16):
        opt.zero_grad()
        loss = ce(model(Xa[i]), ya[i])
        loss.backward()
        opt.step()
    if epoch % 30 == 29:
        scheduler.step()
    if epoch % 20 == 0:
        print(epoch, loss.item(), scheduler.get_last_lr())
with torch.no_grad():
    skill = 1 - ce(model(Xb), yb).item() / 1.0986
print(f"metric=skill value={skill:.4f}")
