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
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.main, self.aux = nn.Linear(32, 10), nn.Linear(32, 2)

    def forward(self, x):
        h = self.body(x)
        return self.main(h), self.aux(h)


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(14):
    for i in torch.randperm(len(xa)).split(48):
        main, aux = net(xa[i])
        loss = F.cross_entropy(main, ya[i])
        if epoch >= 10:
            loss = loss + 0.3 * F.cross_entropy(aux, ya[i] % 2)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
acc = (net(xb)[0].argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
