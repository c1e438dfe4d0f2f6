import os
import torch
from torch import nn

seed = int(os.environ.get("SEED", 0))
g = torch.Generator().manual_seed(seed)
torch.manual_seed(seed)

# citation-like graph: three communities, few links between them
n, k = 300, 3
label = torch.arange(n) % k
prob = torch.where(label[:, None] == label[None], 0.04, 0.004)
A = (torch.rand(n, n, generator=g) < prob).float().triu(1)
A = A + A.T
feats = torch.randn(n, 16, generator=g)
feats[torch.arange(n), label] += 0.8
train = torch.randperm(n, generator=g)[:60]
test = torch.ones(n, dtype=torch.bool)
test[train] = False

A = A + torch.eye(n)
deg = A.sum(1)
D = torch.diag(deg.pow(-0.5))
A_hat = D @ A @ D


class GCN(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.register_buffer("a", a)
        self.lin1 = nn.Linear(16, 32)
        self.lin2 = nn.Linear(32, k)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        x = torch.relu(self.a @ self.lin1(self.drop(x)))
        return self.a @ self.lin2(self.drop(x)) + self.lin2.bias


model = GCN(A_hat)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
for step in range(150):
    model.train()
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(feats)[train], label[train])
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, loss.item())
model.eval()
with torch.no_grad():
    acc = (model(feats)[test].argmax(1) == label[test]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
