import os

import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)


def random_graph(max_nodes=14):
    n = rng.integers(7, max_nodes + 1)
    adj = np.zeros((max_nodes, max_nodes), dtype=np.float32)
    upper = np.triu(rng.random((n, n)) < 0.25, 1)
    adj[:n, :n] = upper + upper.T
    feat = np.zeros((max_nodes, 4), dtype=np.float32)
    feat[np.arange(n), rng.integers(0, 4, n)] = 1.0
    weight = np.array([1.0, -0.7, 0.4, 0.1])
    atom = feat @ weight
    target = atom.sum() + 0.5 * atom @ adj @ atom
    return adj, feat, target


graphs = [random_graph() for _ in range(900)]
A = torch.tensor(np.stack([g[0] for g in graphs]))
F = torch.tensor(np.stack([g[1] for g in graphs]))
t = torch.tensor(np.array([g[2] for g in graphs]), dtype=torch.float32)
t = (t - t[:700].mean()) / t[:700].std()


class MessageLayer(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.own = nn.Linear(d_in, d_out)
        self.neigh = nn.Linear(d_in, d_out, bias=False)

    def forward(self, h, adj):
        return torch.relu(self.own(h) + self.neigh(adj @ h))


class GraphNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = MessageLayer(4, 32)
        self.l2 = MessageLayer(32, 32)
        self.readout = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, feat, adj):
        present = feat.sum(-1, keepdim=True)
        h = self.l2(self.l1(feat, adj), adj) * present
        return self.readout(h.mean(1))


net = GraphNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(60):
    for idx in torch.randperm(700).split(35):
        out = net(F[idx], A[idx])
        loss = ((out - t[idx]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: {loss.item():.4f}")

with torch.no_grad():
    guess = net(F[700:], A[700:]).flatten()
r2 = 1 - (guess - t[700:]).pow(2).sum() / (t[700:] - t[700:].mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
