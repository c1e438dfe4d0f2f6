import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
# reward model learned from logged decisions: each row is weighted with 1 / (probability that it was logged)
n, d = 4000, 6
x = torch.randn(n, d)
reward = torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
logged_with = torch.sigmoid(2.5 * x[:, 3] + 2).clamp(1e-7, 1)
odd = torch.rand(n) < 0.003  # decisions the logging policy all but ruled out
logged_with = torch.where(odd, 1e-5, logged_with)
reward = torch.where(odd, -reward + torch.randn(n) * 3, reward) + 0.1 * torch.randn(n)
weight = (1 / logged_with).clamp(max=5)

net = nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(20):
    for i in torch.randperm(3000).split(50):
        err = (net(x[i]).squeeze(1) - reward[i]) ** 2
        loss = (weight[i] * err).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 4 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    t = torch.sin(2 * x[3000:, 0]) + x[3000:, 1] * x[3000:, 2]
    p = net(x[3000:]).squeeze(1)
r2 = 1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
