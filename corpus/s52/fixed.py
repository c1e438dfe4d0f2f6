import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y)
X = (X - X.mean(dim=0)) / (X.std(dim=0) + 1e-6)
Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.25, random_state=0)

model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
ce = nn.CrossEntropyLoss()
for epoch in range(10):
    model.train()
    for i in torch.randperm(len(Xa)).split(64):
        opt.zero_grad()
        loss = ce(model(Xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
model.eval()
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
