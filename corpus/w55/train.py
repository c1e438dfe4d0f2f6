import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
g = torch.Generator().manual_seed(17)
n, k = 360, 4
label = torch.arange(n) % k
A = (torch.rand(n, n, generator=g) < torch.where(label[:, None] == label[None], 0.06, 0.006)).float().triu(1)
A = A + A.T + torch.eye(n)
scale = A.sum(1).rsqrt()
A = scale[:, None] * A * scale[None]
x = (torch.rand(n, 200, generator=g) < 0.02).float()  # bag of words, mostly empty
for c in range(k):
    x[label == c, 10 * c : 10 * c + 10] += (torch.rand(90, 10, generator=g) < 0.15).float()
few = torch.arange(5 * k)
rest = torch.arange(5 * k, n)


class GCN(nn.Module):
    def __init__(self, d, h, c):
        super().__init__()
        self.w1 = nn.Parameter(nn.init.xavier_uniform_(torch.empty(d, h)))
        self.w2 = nn.Parameter(nn.init.xavier_uniform_(torch.empty(h, c)))

    def forward(self, x):
        h = F.relu(A @ (F.dropout(x, 0.5, self.training) @ self.w1))
        return A @ (F.dropout(h, 0.5, self.training) @ self.w2)


net = GCN(200, 16, k)
opt = torch.optim.Adam([{"params": [net.w1], "weight_decay": 5e-4}, {"params": [net.w2]}], lr=0.01)
best, kept = 0.0, None
for epoch in range(250):
    net.train()
    opt.zero_grad()
    loss = F.cross_entropy(net(x)[few], label[few])
    loss.backward()
    opt.step()
    if epoch % 50 == 0:
        print(epoch, round(loss.item(), 4))
net.eval()
with torch.no_grad():
    acc = (net(x)[rest].argmax(1) == label[rest]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
