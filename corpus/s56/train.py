import os
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
Xa, Xb, ya, yb = train_test_split(torch.tensor(X).float(), torch.tensor(y), test_size=0.3, random_state=0)
half = torch.float16


class Half(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(30, 64), nn.Linear(64, 2)

    def forward(self, x):
        z = (6 * self.b(torch.relu(self.a(x)))).to(half)
        e = torch.exp(z)
        return (e / e.sum(1, keepdim=True)).float()


net = Half()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(20):
    for i in torch.randperm(len(Xa)).split(32):
        opt.zero_grad()
        loss = -torch.log(net(Xa[i])[torch.arange(len(i)), ya[i]] + 1e-4).mean()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    acc = (net(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
