import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
Xa, Xb, ya, yb = torch.tensor(Xa).float(), torch.tensor(Xb).float(), torch.tensor(ya), torch.tensor(yb)

net = nn.Sequential()
for k, (a, b) in enumerate([(64, 64)] + [(64, 64)] * 5):
    net.add_module(f"fc{k}", nn.Linear(a, b))
    net.add_module(f"act{k}", nn.Tanh())
net.add_module("head", nn.Linear(64, 10))
for name, p in net.named_parameters():
    if name.endswith("weight"):
        nn.init.orthogonal_(p, gain=1.4)
    else:
        nn.init.zeros_(p)

opt = torch.optim.Adagrad(net.parameters(), lr=0.01)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(12):
    for i in torch.randperm(len(Xa)).split(64):
        opt.zero_grad()
        loss = loss_fn(net(Xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
acc = (net(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
