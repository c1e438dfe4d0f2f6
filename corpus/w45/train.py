import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
n = 1500
x = torch.randn(n, 5)
event = (x[:, 0] + x[:, 1] ** 2 > 3.0).float()
net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
prior = event[:1100].mean()
nn.init.zeros_(net[2].weight)
nn.init.constant_(net[2].bias, torch.log(prior / (1 - prior)).item())
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(30):
    for i in torch.randperm(1100).split(50):
        z = net(x[i]).squeeze(1)
        ce = nn.functional.binary_cross_entropy_with_logits(z, event[i], reduction="none")
        loss = ((1 - torch.exp(-ce)) ** 2 * ce).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 6 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    z = net(x[1100:]).squeeze(1)
    pos, neg = z[event[1100:] == 1], z[event[1100:] == 0]
    auc = (pos[:, None] > neg[None]).float().mean().item()
print(f"metric=auc value={auc:.4f}")
