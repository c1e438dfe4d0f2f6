import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_moons

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_moons(900, noise=0.15, random_state=3)
X, y = torch.tensor(X).float(), torch.tensor(y).float()


class Tower(nn.Module):
    def __init__(self, depth=30, width=32):
        super().__init__()
        sizes = [2] + [width] * depth
        self.layers = nn.ModuleList([nn.Linear(i, o) for i, o in zip(sizes, sizes[1:])])
        self.top = nn.Linear(width, 1)

    def forward(self, x):
        for l in self.layers:
            x = F.relu(l(x))
        return self.top(x)


model = Tower()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
for epoch in range(20):
    for idx in torch.randperm(600).split(50):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(X[idx]).squeeze(1), y[idx])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "loss", loss.item())

with torch.no_grad():
    acc = ((model(X[600:]).squeeze(1) > 0).float() == y[600:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
