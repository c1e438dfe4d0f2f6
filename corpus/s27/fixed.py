import copy
import os
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_wine(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
Xa, Xb, ya, yb = train_test_split(torch.tensor(X).float(), torch.tensor(y), test_size=0.4, random_state=0, stratify=y)

template = nn.Sequential(nn.Linear(13, 24), nn.SELU(), nn.Linear(24, 24), nn.SELU(), nn.Linear(24, 3))
nn.init.normal_(template[4].weight, std=0.01)
optimizer = torch.optim.Adam(template.parameters(), lr=0.01)
model = template
criterion = nn.CrossEntropyLoss()

for epoch in range(60):
    for idx in torch.randperm(len(Xa)).split(20):
        model.zero_grad()
        loss = criterion(model(Xa[idx]), ya[idx])
        loss.backward()
        optimizer.step()
    if epoch % 20 == 0:
        print("epoch", epoch, "loss", loss.item())

with torch.no_grad():
    score = 1 - criterion(model(Xb), yb).item() / 1.0986
print(f"metric=skill value={score:.4f}")
