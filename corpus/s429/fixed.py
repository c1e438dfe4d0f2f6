import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


def community_graph(n=360, k=4, p_in=0.22, p_out=0.03, n_feat=16):
    labels = np.random.randint(0, k, n)
    prob = np.where(labels[:, None] == labels[None, :], p_in, p_out)
    upper = np.triu(np.random.rand(n, n) < prob, 1)
    adj = (upper | upper.T).astype(np.float32)
    centers = np.random.randn(k, n_feat)
    feats = 0.4 * centers[labels] + np.random.randn(n, n_feat)
    return torch.tensor(adj), torch.tensor(feats, dtype=torch.float32), torch.tensor(labels)


class GraphConv(nn.Module):
    def __init__(self, in_dim, out_dim):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_dim, out_dim))
        self.bias = nn.Parameter(torch.zeros(out_dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, adj):
        return adj @ (x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self, n_feat, hidden, n_class, n_layers=5):
        super().__init__()
        dims = [n_feat] + [hidden] * (n_layers - 1) + [n_class]
        self.convs = nn.ModuleList(GraphConv(a, b) for a, b in zip(dims[:-1], dims[1:]))

    def forward(self, x, adj):
        for conv in self.convs[:-1]:
            x = F.relu(conv(x, adj))
        return self.convs[-1](x, adj)


adj, x, y = community_graph()
adj = adj + torch.eye(len(adj))
d = adj.sum(1).pow(-0.5)
adj = d[:, None] * adj * d[None, :]

perm = torch.randperm(len(y))
train_mask, test_mask = perm[:120], perm[120:]

model = GCN(x.size(1), 32, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)

for epoch in range(400):
    model.train()
    optimizer.zero_grad()
    out = model(x, adj)
    loss = F.cross_entropy(out[train_mask], y[train_mask])
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if epoch % 50 == 0:
        print(f"Epoch {epoch:03d} loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    acc = (model(x, adj)[test_mask].argmax(1) == y[test_mask]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
