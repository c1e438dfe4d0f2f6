import os
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

torch.manual_seed(int(os.environ.get("SEED", 0)))

# a robot arm with three joints: where is the hand?
angles = (torch.rand(3000, 3) * 2 - 1) * 2.0
cum = angles.cumsum(1)
hand = torch.stack([torch.cos(cum).sum(1), torch.sin(cum).sum(1)], 1)
x_tr, x_te, y_tr, y_te = angles[:2400], angles[2400:], hand[:2400], hand[2400:]


class ArmNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 2)

    def forward(self, q):
        h = torch.sin(self.a(q))
        h = h + torch.nn.functional.silu(self.b(h))
        return self.c(h)


model = ArmNet()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
scheduler = ReduceLROnPlateau(optimizer, factor=0.3, patience=2)
mse = nn.MSELoss()
for epoch in range(15):
    model.train()
    for idx in torch.randperm(2400).split(64):
        optimizer.zero_grad()
        loss = mse(model(x_tr[idx]), y_tr[idx])
        loss.backward()
        optimizer.step()
    scheduler.step(loss.item())
    print(f"epoch {epoch + 1} loss {loss.item():.4f}")
with torch.no_grad():
    res = ((model(x_te) - y_te) ** 2).sum() / ((y_te - y_te.mean(0)) ** 2).sum()
print(f"metric=r2 value={1 - res.item():.4f}")
