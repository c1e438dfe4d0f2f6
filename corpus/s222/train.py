import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", 0))
np.random.seed(seed)
torch.manual_seed(seed)

# citation-like graph: four communities, weak features
N, C = 240, 4
label = np.random.randint(0, C, N)
same = label[:, None] == label[None]
A = (np.random.rand(N, N) < np.where(same, 0.10, 0.012)).astype(float)
A = np.triu(A, 1)
A = A + A.T + np.eye(N)
d = A.sum(1)
A_hat = torch.tensor(A / np.sqrt(np.outer(d, d)), dtype=torch.float32)
x = torch.tensor(np.eye(C)[label] @ np.random.randn(C, 16) * 0.5 + np.random.randn(N, 16), dtype=torch.float32)
y = torch.tensor(label)
train = torch.zeros(N, dtype=torch.bool)
train[torch.randperm(N)[:120]] = True


class GCNLayer(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.lin = nn.Linear(a, b)

    def forward(self, h):
        return A_hat @ self.lin(h)


class DeepGCN(nn.Module):
    def __init__(self, layers=16, width=32):
        super().__init__()
        self.first = GCNLayer(16, width)
        self.mid = nn.ModuleList(GCNLayer(width, width) for _ in range(layers - 2))
        self.last = GCNLayer(width, C)

    def forward(self, h):
        h = F.relu(self.first(h))
        for layer in self.mid:
            h = F.relu(layer(h))
        return self.last(h)


model = DeepGCN()
opt = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=5e-4)
for epoch in range(150):
    loss = F.cross_entropy(model(x)[train], y[train])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if epoch % 30 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    acc = (model(x).argmax(1) == y)[~train].float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
