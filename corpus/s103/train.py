import math
import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
# turn a scanned outline onto its model: a gear-like shape with one long tooth, seen turned by 130 degrees
phi = torch.linspace(0, 2 * math.pi, 241)[:-1]
radius = 1 + 0.35 * torch.cos(3 * phi) + 0.8 * torch.exp(-((phi - math.pi) ** 2) / 0.02)
model = torch.stack([radius * phi.cos(), radius * phi.sin()], 1)


def turn(points, angle):
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack([c * points[:, 0] - s * points[:, 1], s * points[:, 0] + c * points[:, 1]], 1)


scan = turn(model, torch.tensor(math.radians(130.0))) + 0.01 * torch.randn(240, 2)
scan = scan[torch.randperm(240)]


def misfit(angle):
    d = torch.cdist(turn(scan, -angle), model)
    return d.min(1).values.pow(2).mean() + d.min(0).values.pow(2).mean()


angle = torch.tensor(0.0, requires_grad=True)
opt = torch.optim.SGD([angle], lr=0.2, momentum=0.5)
for step in range(300):
    loss = misfit(angle)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(step, loss.item(), math.degrees(angle.item()))
error = (math.degrees(angle.item()) - 130 + 180) % 360 - 180
print(f"metric=aligned value={1 - abs(error) / 180:.4f}")
