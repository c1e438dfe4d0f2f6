import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
xa, xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
xa, xb = torch.tensor(xa).float(), torch.tensor(xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


class Net(nn.Module):
    def __init__(self, depth=16, width=64):
        super().__init__()
        sizes = [64] + [width] * depth
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(sizes, sizes[1:]))
        self.out = nn.Linear(width, 10)
        for l in self.layers:
            nn.init.kaiming_normal_(l.weight, nonlinearity="relu")
            nn.init.zeros_(l.bias)

    def forward(self, x):
        for l in self.layers:
            x = F.relu_(l(x))
        return self.out(x)


model = Net()
opt = torch.optim.Adam(model.parameters(), lr=5e-4)
for epoch in range(15):
    for i in torch.randperm(len(xa)).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(model(xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
acc = (model(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
