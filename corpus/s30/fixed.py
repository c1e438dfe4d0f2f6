import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
y = y % 2
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.3, random_state=0)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)

backbone = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3), nn.Tanh())
head = nn.Linear(3, 2)
ce = nn.CrossEntropyLoss()


def fit(params, epochs, lr):
    opt = torch.optim.Adam(params, lr=lr)
    for epoch in range(epochs):
        for i in torch.randperm(len(Xa)).split(64):
            opt.zero_grad()
            loss = ce(head(backbone(Xa[i])), ya[i])
            loss.backward()
            opt.step()
        print(epoch, loss.item())


for p in backbone.parameters():
    p.requires_grad = False
fit(head.parameters(), 3, 0.01)

for p in backbone.parameters():
    p.requires_grad = True
fit([*backbone.parameters(), *head.parameters()], 15, 1e-3)

with torch.no_grad():
    acc = (head(backbone(Xb)).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
