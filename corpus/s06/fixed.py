import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=1)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)

layers = [nn.Linear(64, 64), nn.ReLU()]
for _ in range(16):
    layers += [nn.Linear(64, 64), nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(64, 10))


@torch.no_grad()
def init(m, std=(2 / 64) ** 0.5):
    if isinstance(m, nn.Linear):
        m.weight.normal_(0, std)
        m.bias.zero_()


model.apply(init)
opt = torch.optim.SGD(model.parameters(), lr=0.003, momentum=0.9)
ce = nn.CrossEntropyLoss()
for epoch in range(12):
    for idx in torch.randperm(len(Xa)).split(32):
        opt.zero_grad()
        loss = ce(model(Xa[idx]), ya[idx])
        loss.backward()
        opt.step()
    print(epoch, loss.item())

with torch.no_grad():
    acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
