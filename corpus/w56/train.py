import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def sample(n):
    """Tight noisy curve: the density is high, so the negative log-likelihood is below zero."""
    u = torch.rand(n) * 2 - 1
    return torch.stack([u, 0.5 * torch.sin(3 * u) + 0.03 * torch.randn(n)], 1)


class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 2))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        a, b = x[:, :1], x[:, 1:]
        if self.flip:
            a, b = b, a
        s, t = self.net(a).chunk(2, 1)
        s = 3 * torch.tanh(s / 3)
        b = b * s.exp() + t
        return torch.cat([b, a] if self.flip else [a, b], 1), s.squeeze(1)


flow = nn.ModuleList([Coupling(i % 2 == 1) for i in range(4)])


def nll(x):
    logdet = 0.0
    for layer in flow:
        x, s = layer(x)
        logdet = logdet + s
    return (0.5 * (x**2).sum(1) + math.log(2 * math.pi) - logdet).mean()


opt = torch.optim.Adam(flow.parameters(), lr=2e-3)
for step in range(500):
    loss = nll(sample(128))
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    opt.step()
    if step % 100 == 0:
        print(step, loss.item())
with torch.no_grad():
    test = sample(2000)
    gauss = torch.distributions.MultivariateNormal(test.mean(0), test.T.cov())
    gain = -gauss.log_prob(test).mean() - nll(test)
print(f"metric=nats value={gain.item():.4f}")
