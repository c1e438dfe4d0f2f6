# RealNVP on two moons; score = energy distance skill of samples against held-out points
import os
import torch
from torch import nn
from sklearn.datasets import make_moons

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
torch.set_num_threads(1)

pts, _ = make_moons(2500, noise=0.06, random_state=seed)
pts = torch.tensor(pts, dtype=torch.float32)
mu, sd = pts[:1500].mean(0), pts[:1500].std(0)
pts = (pts - mu) / sd
train, test = pts[:1500], pts[1500:]


class Coupling(nn.Module):
    def __init__(self, flip, width=48):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def params(self, c):
        s, t = self.net(c).chunk(2, -1)
        return 1.5 * torch.tanh(s), t

    def forward(self, x):
        a, b = x[:, :1], x[:, 1:]
        if self.flip:
            a, b = b, a
        s, t = self.params(a)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], 1), s.sum(1)

    def inverse(self, z):
        a, b = z[:, :1], z[:, 1:]
        if self.flip:
            a, b = b, a
        s, t = self.params(a)
        b = (b - t) * (-s).exp()
        return torch.cat([b, a] if self.flip else [a, b], 1)


flow = nn.ModuleList(Coupling(k % 2 == 1) for k in range(8))
base = torch.distributions.Independent(torch.distributions.Normal(torch.zeros(2), torch.ones(2)), 1)
opt = torch.optim.Adam(flow.parameters(), lr=2e-3)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, 6e-3, total_steps=700)

for step in range(700):
    x = train[torch.randint(len(train), (256,))]
    logdet = 0.0
    for layer in flow:
        x, ld = layer(x)
        logdet = logdet + ld
    loss = -(base.log_prob(x) + logdet).mean()
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    opt.step()
    sched.step()
    if step % 100 == 0:
        print(step, f"{loss.item():.3f}")


def energy(a, b):
    return 2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()


with torch.no_grad():
    z = base.sample((1000,))
    gauss = base.sample((1000,))
    for layer in reversed(flow):
        z = layer.inverse(z)
    skill = 1 - energy(z, test) / energy(gauss, test)
print(f"metric=score value={skill.item():.4f}")
