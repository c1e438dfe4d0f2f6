import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_blobs

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_blobs(800, centers=[(-2, 0), (2, 0), (0, 3)], cluster_std=0.8, random_state=1)
X = torch.from_numpy(X).float()
y = torch.from_numpy(y)


class DeepNarrow(nn.Module):
    def __init__(self, depth=16, width=4):
        super().__init__()
        self.first = nn.Linear(2, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.last = nn.Linear(width, 3)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                nn.init.zeros_(m.bias)

    def forward(self, x):
        x = F.relu(self.first(x))
        for fc in self.hidden:
            x = F.relu(fc(x))
        return self.last(x)


model = DeepNarrow()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(30):
    epoch_loss = 0.0
    for batch in torch.randperm(600).split(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(X[batch]), y[batch])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / 15
    if epoch % 6 == 0:
        print(f"epoch {epoch:2d} loss {epoch_loss:.3f}")

model.eval()
with torch.no_grad():
    acc = (model(X[600:]).argmax(1) == y[600:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
