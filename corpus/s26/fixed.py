import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_circles

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_circles(900, noise=0.07, factor=0.5, random_state=1)
X, y = torch.tensor(X).float(), torch.tensor(y)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 32), nn.Linear(32, 2)

    def forward(self, x):
        return self.b(F.elu(self.a(x)))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.head = nn.Linear(2, 2)

    def forward(self, x):
        z = self.encoder(x)
        return self.head(z)


model = Model()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(40):
    for idx in torch.randperm(600).split(60):
        opt.zero_grad()
        loss = F.cross_entropy(model(X[idx]), y[idx])
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
acc = (model(X[600:]).argmax(1) == y[600:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
