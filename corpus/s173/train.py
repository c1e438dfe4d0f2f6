import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

torch.manual_seed(int(os.environ.get("SEED", 0)))

X, y = load_digits(return_X_y=True)
X = torch.tensor(StandardScaler().fit_transform(X), dtype=torch.float32)
y = torch.tensor(y)
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(9))
train, valid = order[:1400], order[1400:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        return self.layers(x)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=0.3)
criterion = nn.CrossEntropyLoss()
for epoch in range(25):
    net.train()
    for idx in train[torch.randperm(len(train))].split(50):
        optimizer.zero_grad()
        loss = criterion(net(X[idx]), y[idx])
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        valid_loss = criterion(net(X[valid]), y[valid]).item()
    if epoch % 5 == 0:
        print(f"epoch {epoch}: train {loss.item():.3f} valid {valid_loss:.3f}")

with torch.no_grad():
    acc = (net(X[valid]).argmax(1) == y[valid]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
