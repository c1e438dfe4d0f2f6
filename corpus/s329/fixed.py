import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# 120 star-shaped outlines r(angle); a decoder shared by all, one code per outline
N, POINTS, CODE = 120, 40, 6
amp = torch.randn(N, 3) * torch.tensor([0.4, 0.3, 0.2])
shift = 6.283 * torch.rand(N, 3)
angles = 6.283 * torch.rand(N, POINTS)
harmonics = torch.tensor([1.0, 2.0, 3.0])
radius = 1 + (amp[:, None] * torch.sin(harmonics * angles[..., None] + shift[:, None])).sum(-1)
radius = radius + 0.02 * torch.randn(N, POINTS)


class AutoDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.codes = nn.Parameter(torch.empty(N, CODE).normal_(0, 0.01))
        self.net = nn.Sequential(nn.Linear(CODE + 6, 64), nn.ELU(), nn.Linear(64, 64), nn.ELU(), nn.Linear(64, 1))

    def forward(self, which, angle):
        waves = harmonics * angle.unsqueeze(-1)
        features = torch.cat([self.codes[which], torch.sin(waves), torch.cos(waves)], -1)
        return self.net(features).squeeze(-1)


model = AutoDecoder()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 60)
shape_id = torch.arange(N).unsqueeze(1).expand(N, 30).reshape(-1)
a, r = angles[:, :30].reshape(-1), radius[:, :30].reshape(-1)
for epoch in range(60):
    for idx in torch.randperm(len(a)).split(120):
        opt.zero_grad()
        loss = (model(shape_id[idx], a[idx]) - r[idx]).square().mean()
        loss.backward()
        opt.step()
    sched.step()
    if epoch % 15 == 14:
        print("epoch", epoch + 1, "loss", f"{loss.item():.5f}")

with torch.no_grad():
    ids = torch.arange(N).unsqueeze(1).expand(N, 10)
    rest = radius[:, 30:]
    r2 = 1 - (model(ids, angles[:, 30:]) - rest).square().mean() / rest.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
