import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", 0))
rng = np.random.default_rng(seed)
torch.manual_seed(seed)

# links of a friendship graph, negatives drawn anew each step
n = 200
group = rng.integers(0, 5, n)
prob = np.where(group[:, None] == group[None], 0.3, 0.01)
A = np.triu(rng.random((n, n)) < prob, 1)
edges = torch.tensor(np.argwhere(A))
edges = edges[torch.randperm(len(edges))]
cut = int(0.85 * len(edges))
train_e, test_e = edges[:cut], edges[cut:]
adj = torch.zeros(n, n)
adj[train_e[:, 0], train_e[:, 1]] = 1
adj = adj + adj.t() + torch.eye(n)
adj = adj / adj.sum(1, keepdim=True)


class LinkNet(nn.Module):
    def __init__(self, d=24):
        super().__init__()
        self.node = nn.Embedding(n, d)
        self.w1, self.w2 = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, e):
        h = F.relu(self.w1(adj @ self.node.weight))
        h = self.w2(adj @ F.dropout(h, 0.2, self.training))
        return (h[e[:, 0]] * h[e[:, 1]]).sum(1)


net = LinkNet()
opt = torch.optim.Adam(net.parameters(), lr=5e-3, weight_decay=1e-4)
for epoch in range(150):
    net.train()
    neg = torch.randint(0, n, (cut, 2))
    score = net(torch.cat([train_e, neg]))
    target = torch.cat([torch.ones(cut), torch.zeros(cut)])
    loss = F.binary_cross_entropy_with_logits(score, target)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if epoch % 30 == 0:
        print(epoch, loss.item())

net.eval()
with torch.no_grad():
    pos = net(test_e)
    neg = net(torch.randint(0, n, (2000, 2)))
    auc = (pos[:, None] > neg[None]).float().mean().item()
print(f"metric=accuracy value={auc:.4f}")
