import os
import random
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)
# three tasks on one trunk, one task a step; the head of a fourth task is kept for later
x = torch.randn(2000, 8)
targets = {
    "sum": x[:, :4].sum(1, keepdim=True) / 2,
    "product": x[:, :1] * x[:, 1:2],
    "wave": torch.sin(2 * x[:, 2:3]),
}


class Multi(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 64), nn.GELU(), nn.Linear(64, 48), nn.GELU())
        self.heads = nn.ModuleDict({k: nn.Linear(48, 1) for k in [*targets, "later"]})

    def forward(self, x, task):
        return self.heads[task](self.trunk(x))


net = Multi()
for p in net.heads["later"].parameters():
    p.requires_grad = False
opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=3e-3)
for step in range(1200):
    task = random.choice(list(targets))
    i = torch.randint(0, 1600, (64,))
    loss = nn.functional.smooth_l1_loss(net(x[i], task), targets[task][i])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 200 == 0:
        print(step, task, loss.item())
with torch.no_grad():
    r2 = []
    for task, t in targets.items():
        p, t = net(x[1600:], task), t[1600:]
        r2.append(1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum())
print(f"metric=r2 value={torch.stack(r2).mean().item():.4f}")
