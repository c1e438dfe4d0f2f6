import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
# a small physics fit: displacement of a beam as a function of load and position
x = torch.rand(200, 2) * 2 - 1
y = torch.sin(3 * x[:, :1]) * x[:, 1:] + 0.02 * torch.randn(200, 1)
xt = torch.rand(200, 2) * 2 - 1
yt = torch.sin(3 * xt[:, :1]) * xt[:, 1:]

net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
lbfgs = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=10, history_size=10)


def closure():
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    return loss


for i in range(40):
    value = lbfgs.step(closure)
    if i % 8 == 0:
        print(i, float(value))
with torch.no_grad():
    r2 = 1 - ((net(xt) - yt) ** 2).sum() / ((yt - yt.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
