import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
g = torch.Generator().manual_seed(31)

# daily rain: dry on more than half of the days
X = torch.randn(2000, 7, generator=g)
wet = 0.9 * X[:, 0] + 0.6 * X[:, 1] * X[:, 2] - 0.5 * X[:, 3] - 0.3
rain = torch.relu(wet + 0.15 * torch.randn(2000, generator=g)).unsqueeze(1)


class Rain(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(7, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.out = nn.Linear(64, 1)
        nn.init.constant_(self.out.bias, 0.5)

    def forward(self, x):
        return torch.relu(self.out(self.hidden(x)))


model = Rain()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
sched = torch.optim.lr_scheduler.MultiStepLR(opt, [25, 35], 0.2)
for epoch in range(40):
    for idx in torch.randperm(1600).split(40):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(X[idx]), rain[idx])
        loss.backward()
        opt.step()
    sched.step()
    if epoch % 10 == 0:
        print(epoch, f"{loss.item():.4f}")

with torch.no_grad():
    p, t = model(X[1600:]), rain[1600:]
print(f"metric=r2 value={(1 - (p - t).pow(2).sum() / (t - t.mean()).pow(2).sum()).item():.4f}")
