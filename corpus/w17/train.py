import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
x = torch.rand(900, 1) * 6 - 3
y = torch.sin(x) + (0.15 + 0.35 * x.abs() / 3) * torch.randn_like(x)
q = torch.tensor([0.1, 0.5, 0.9])
net = nn.Sequential(nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 3))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(40):
    for i in torch.randperm(600).split(50):
        e = y[i] - net(x[i])
        loss = torch.maximum(q * e, (q - 1) * e).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    p = net(x[600:])
    pin = lambda e: torch.maximum(q * e, (q - 1) * e).mean()
    skill = 1 - pin(y[600:] - p) / pin(y[600:] - torch.quantile(y[:600, 0], q))
print(f"metric=skill value={skill.item():.4f}")
