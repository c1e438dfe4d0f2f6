import argparse
import os

import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1.5e-3)
parser.add_argument("--gamma", type=float, default=0.9)
parser.add_argument("--epochs", type=int, default=25)
parser.add_argument("--batch", type=int, default=20)
args = parser.parse_args()
torch.manual_seed(int(os.environ.get("SEED", "0")))
N = 14


def make_graphs(count):
    """0: random graph, 1: two communities, 2: ring with short cuts; same mean degree"""
    kind = torch.randint(0, 3, (count,))
    adj = torch.zeros(count, N, N)
    half = torch.arange(N) < N // 2
    same = half[:, None] == half[None, :]
    ring = ((torch.arange(N)[:, None] - torch.arange(N)[None, :]).abs() % (N - 1)) <= 1
    for g in range(count):
        p = torch.full((N, N), 0.3)
        if kind[g] == 1:
            p = torch.where(same, 0.6, 0.06)
        elif kind[g] == 2:
            p = torch.where(ring, 1.0, 0.14)
        a = torch.triu((torch.rand(N, N) < p).float(), 1)
        a = a + a.T
        order = torch.randperm(N)
        adj[g] = a[order][:, order]
    return adj, kind


def node_features(adj):
    deg = adj.sum(-1, keepdim=True)
    a2 = adj @ adj
    triangles = (a2 * adj).sum(-1, keepdim=True) / 2
    squares = ((a2 * (a2 - 1)).sum(-1, keepdim=True) - deg * (deg - 1)) / 2
    return torch.cat([deg / 4 - 1, triangles / 3 - 1, squares / 20 - 1], -1)


class GraphConv(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.own = nn.Linear(d_in, d_out)
        self.nbr = nn.Linear(d_in, d_out, bias=False)

    def forward(self, h, adj):
        mean = adj @ h / adj.sum(-1, keepdim=True).clamp(min=1)
        return F.relu(self.own(h) + self.nbr(mean))


class GraphNet(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.conv1, self.conv2 = GraphConv(3, hidden), GraphConv(hidden, hidden)
        self.readout = nn.Linear(2 * hidden, 3)

    def forward(self, adj):
        h = self.conv2(self.conv1(node_features(adj), adj), adj)
        return self.readout(torch.cat([h.mean(1), h.amax(1)], -1))


adj, kind = make_graphs(1600)
model = GraphNet()
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=args.gamma)
for epoch in range(args.epochs):
    for idx in torch.randperm(1200).split(args.batch):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(adj[idx]), kind[idx])
        loss.backward()
        optimizer.step()
    scheduler.step()
    if epoch % 5 == 0:
        print(f"epoch {epoch} loss {loss.item():.4f}")

with torch.no_grad():
    acc = (model(adj[1200:]).argmax(1) == kind[1200:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
