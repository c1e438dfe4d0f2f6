import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
# sensor table with holes: a third of the readings is missing and marked by NaN
n = 1500
clean = torch.randn(n, 6)
clean[:, 3:] = clean[:, :3] + 0.3 * torch.randn(n, 3)
target = (clean[:, 0] - 2 * clean[:, 1] + clean[:, 2] * clean[:, 0]).unsqueeze(1)
table = clean.clone()
table[torch.rand(n, 6) < 0.33] = float("nan")


class WithHoles(nn.Module):
    """Fills missing entries with a learned value and tells the net where they were."""

    def __init__(self):
        super().__init__()
        self.fill = nn.Parameter(torch.zeros(6))
        self.net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        missing = torch.isnan(x)
        x = torch.where(missing, self.fill, torch.nan_to_num(x))
        return self.net(torch.cat([x, missing.float()], 1))


net = WithHoles()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(25):
    for i in torch.randperm(1200).split(40):
        loss = nn.functional.mse_loss(net(table[i]), target[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    p, t = net(table[1200:]), target[1200:]
r2 = 1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
