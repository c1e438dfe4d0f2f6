import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
x = torch.linspace(-2, 2, 40).unsqueeze(1)
y = torch.cos(2 * x) * torch.exp(-0.2 * x)
net = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.12)
for step in range(4000):
    opt.zero_grad()
    loss = (net(x) - y).pow(2).mean()
    loss.backward()
    opt.step()
    if step % 500 == 0:
        print(step, loss.item())
with torch.no_grad():
    r2 = 1 - (net(x) - y).pow(2).mean() / y.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
