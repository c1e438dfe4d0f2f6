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


def layer(a, b):
    return nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU())


model = nn.Sequential(layer(64, 40), *[layer(40, 40) for _ in range(14)], nn.Linear(40, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)


def evaluate():
    model.eval()
    with torch.no_grad():
        out = model(Xb)
        return criterion(out, yb).item(), (out.argmax(1) == yb).float().mean().item()


print("before training", evaluate())
for epoch in range(9):
    model.train()
    for idx in torch.randperm(len(Xa)).split(64):
        optimizer.zero_grad()
        loss = criterion(model(Xa[idx]), ya[idx])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item(), evaluate())
print(f"metric=accuracy value={evaluate()[1]:.4f}")
