import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 8.0 - 1, y, test_size=0.25, random_state=0)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(64, 128)
        self.l2 = nn.Linear(128, 128)
        self.l3 = nn.Linear(128, 128)
        self.l4 = nn.Linear(128, 128)
        self.l5 = nn.Linear(128, 128)
        self.l6 = nn.Linear(128, 10)
        self.act = nn.Tanh()
        for m in (self.l1, self.l2, self.l3, self.l4, self.l5):
            nn.init.xavier_normal_(m.weight)

    def forward(self, x):
        x = self.act(self.l1(x))
        x = self.act(self.l2(x))
        x = self.act(self.l3(x))
        x = self.act(self.l4(x))
        x = self.act(self.l5(x))
        return self.l6(x)


model = Net()
opt = torch.optim.SGD(model.parameters(), lr=0.02)
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
