import os
import random
import torch
import torch.nn as nn
from sklearn.datasets import load_wine

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)

wine = load_wine()
x = torch.tensor(wine.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(wine.target)
ids = list(range(len(y)))
random.Random(1).shuffle(ids)
train_ids, test_ids = ids[:120], ids[120:]

net = nn.Sequential(nn.Linear(13, 10), nn.Tanh(), nn.Linear(10, 3), nn.LogSoftmax(dim=1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
nll = nn.NLLLoss()

for epoch in range(12):
    random.shuffle(train_ids)
    cost = 0.0
    for i in train_ids:
        optimizer.zero_grad()
        loss = nll(net(x[i:i + 1]), y[i:i + 1])
        loss.backward()
        optimizer.step()
        cost += loss.item()
    print("epoch", epoch, "cost", round(cost / len(train_ids), 5))

with torch.no_grad():
    acc = (net(x[test_ids]).argmax(1) == y[test_ids]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
