import os
import torch
import torch.nn as nn
from sklearn.datasets import make_classification

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

# few rows, many columns: strong regularisation is what works
X, y = make_classification(2200, 200, n_informative=8, n_redundant=0, class_sep=1.6, flip_y=0.02, random_state=seed)
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
X = (X - X.mean(0)) / X.std(0)
Xtr, ytr, Xte, yte = X[:200], y[:200], X[200:], y[200:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Dropout(0.4)
        self.l1, self.l2 = nn.Linear(200, 64), nn.Linear(64, 2)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.l2(self.drop(torch.relu(self.l1(self.inp(x)))))


net = Net()
opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=2.0)
ce = nn.CrossEntropyLoss(label_smoothing=0.2)
for epoch in range(120):
    net.train()
    for b in torch.randperm(200).split(40):
        loss = ce(net(Xtr[b]), ytr[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 20 == 0:
        print(epoch, loss.item())

net.eval()
with torch.no_grad():
    acc = (net(Xte).argmax(1) == yte).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
