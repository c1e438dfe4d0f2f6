import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.preprocessing import scale

torch.manual_seed(int(os.environ.get("SEED", 0)))

X, y = load_digits(return_X_y=True)
X, y = torch.tensor(scale(X), dtype=torch.float32), torch.tensor(y)
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
Xtr, ytr, Xte, yte = X[order[:1300]], y[order[:1300]], X[order[1300:]], y[order[1300:]]


class MLP(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.dropout(F.relu(layer(x)), training=self.training)
        return self.layers[-1](x)


model = MLP([64, 32, 32, 32, 10])
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(40):
    model.train()
    for i in torch.randperm(len(Xtr)).split(64):
        optimizer.zero_grad()
        F.cross_entropy(model(Xtr[i]), ytr[i]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        test_loss = F.cross_entropy(model(Xte), yte).item()
    if epoch % 8 == 0:
        print(f"{epoch:3d} test loss {test_loss:.3f}")

model.eval()
with torch.no_grad():
    acc = (model(Xte).argmax(1) == yte).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
