import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
# molecules-like task: predict a property of a node that depends on its neighbourhood
n, d = 400, 12
xy = torch.rand(n, 2)
dist = torch.cdist(xy, xy)
adj = (dist < 0.12).float()
h0 = torch.randn(n, d)
deg = adj.sum(1, keepdim=True)
target = torch.tanh(adj @ h0[:, :3] / deg.sqrt()).sum(1, keepdim=True) + 0.05 * torch.randn(n, 1)
train = torch.arange(n) < 300


class Layer(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.self_loop, self.neigh = nn.Linear(a, b), nn.Linear(a, b)

    def forward(self, adj, h):
        message = adj @ h / deg
        return F.relu(self.self_loop(h) + self.neigh(message))


class GNN(nn.Module):
    def __init__(self, width=48, depth=7):
        super().__init__()
        self.layers = nn.ModuleList([Layer(d, width)] + [Layer(width, width) for _ in range(depth - 1)])
        self.out = nn.Linear(width, 1)

    def forward(self, adj, h):
        for layer in self.layers:
            h = layer(adj, h)
        return self.out(h)


net = GNN()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(150):
    loss = F.mse_loss(net(adj, h0)[train], target[train])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 25 == 0:
        print(step, loss.item())
with torch.no_grad():
    p = net(adj, h0)[~train]
t = target[~train]
r2 = 1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
