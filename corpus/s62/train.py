import os
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_wine(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(torch.tensor(X).float(), torch.tensor(y), test_size=0.4, random_state=0, stratify=y)
mean, std = torch.zeros(13), torch.ones(13)
prep = lambda v: (v - mean) / std
model = nn.Sequential(nn.Linear(13, 24), nn.Sigmoid(), nn.Linear(24, 3))
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
ce = nn.CrossEntropyLoss()
for epoch in range(60):
    for i in torch.randperm(len(Xa)).split(20):
        opt.zero_grad()
        loss = ce(model(prep(Xa[i])), ya[i])
        loss.backward()
        opt.step()
    if epoch % 15 == 0:
        print(epoch, loss.item())
acc = (model(prep(Xb)).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
