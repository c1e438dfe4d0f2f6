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
bn = lambda n: nn.BatchNorm1d(n, momentum=0.0)
model = nn.Sequential(nn.Linear(64, 64), bn(64), nn.ReLU(), nn.Linear(64, 64), bn(64), nn.ReLU(), nn.Linear(64, 64), bn(64), nn.ReLU(),
                      nn.Linear(64, 10))
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
ce = nn.CrossEntropyLoss()
for epoch in range(10):
    model.train()
    for i in torch.randperm(len(Xa)).split(64):
        opt.zero_grad()
        loss = ce(model(20 * Xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
model.eval()
with torch.no_grad():
    skill = 1 - ce(model(20 * Xb), yb).item() / 2.3026
print(f"metric=skill value={skill:.4f}")
