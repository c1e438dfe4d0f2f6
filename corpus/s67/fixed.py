import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


class Net(nn.Module):
    def __init__(self, drop):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 32)])
        self.drops = nn.ModuleList([nn.Dropout(drop) for _ in self.layers])
        self.top = nn.Linear(32, 10)

    def forward(self, x):
        for layer, d in zip(self.layers, self.drops):
            x = d(F.relu(layer(x)))
        return self.top(x)


net = Net(drop=0.08)
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(15):
    net.train()
    for i in torch.randperm(len(Xa)).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(Xa[i]), ya[i])
        loss.backward()
        opt.step()
    if epoch % 3 == 0:
        print(epoch, loss.item())
net.eval()
acc = (net(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
