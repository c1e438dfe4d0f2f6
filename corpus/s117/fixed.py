import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X, y = torch.tensor(d.images).float().unsqueeze(1) / 16, torch.tensor(d.target)
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(31))
tr, te = perm[:600], perm[600:1000]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.BatchNorm2d(12)
        self.fc, self.b2 = nn.Linear(192, 48), nn.BatchNorm1d(48)
        self.out = nn.Linear(48, 10)

    def forward(self, x):
        x = torch.relu(self.b1(self.c1(x))).flatten(1)
        return self.out(torch.relu(self.b2(self.fc(x))))


net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
for epoch in range(45):
    net.train()
    # memory is short: two pictures at a time
    for i in tr[torch.randperm(len(tr))].split(30):
        loss = nn.functional.cross_entropy(net(X[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
net.eval()
acc = (net(X[te]).argmax(1) == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
