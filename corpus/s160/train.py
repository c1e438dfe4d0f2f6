import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
gen = torch.Generator().manual_seed(11)

# four microphones, direction of the source in the plane
angle = torch.rand(1500, generator=gen) * 2 * torch.pi
mics = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
direction = torch.stack([angle.cos(), angle.sin()], dim=1)
delays = direction @ mics.T + 0.05 * torch.randn(1500, 4, generator=gen)


class Bearing(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 2))

    def forward(self, x):
        return F.normalize(self.body(x), dim=-1)


def angular_loss(pred, target):
    cosine = (pred * target).sum(-1)
    return torch.acos(cosine.clamp(-1.0, 1.0)).mean()


model = Bearing()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
for epoch in range(40):
    for idx in torch.randperm(1200).split(40):
        loss = angular_loss(model(delays[idx]), direction[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    if epoch % 10 == 0:
        print(epoch, f"{loss.item():.4f} rad")

with torch.no_grad():
    pred, target = model(delays[1200:]), direction[1200:]
    r2 = 1 - ((pred - target) ** 2).sum() / ((target - target.mean(0)) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
