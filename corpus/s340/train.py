import copy
import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_num_threads(1)


def get_clones(module, n):
    return nn.ModuleList([copy.deepcopy(module) for _ in range(n)])


class Gate(nn.Module):
    def __init__(self, dim, n):
        super().__init__()
        self.fc = nn.Linear(dim, n)
        nn.init.zeros_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        return F.softmax(self.fc(x), dim=-1)


class MixtureOfExperts(nn.Module):
    def __init__(self, dim, n_experts):
        super().__init__()
        self.gate = Gate(dim, n_experts)
        self.experts = get_clones(nn.Linear(dim, 1), n_experts)

    def forward(self, x):
        w = self.gate(x)
        out = torch.cat([e(x) for e in self.experts], dim=1)
        return (w * out).sum(1), w


def tariff(n):
    x = torch.randn(n, 4)
    region = (x[:, 0] > 0).long() * 2 + (x[:, 1] > 0).long()
    slopes = torch.tensor([[0.0, 0, 2, 1], [0, 0, -2, 1], [0, 0, 1, -2], [0, 0, -1, -1.5]])
    y = (slopes[region] * x).sum(1) + 0.1 * torch.randn(n)
    return x, y / 2


x, y = tariff(3000)
xt, yt = tariff(800)
model = MixtureOfExperts(4, 8)
opt = torch.optim.Adam(model.parameters(), lr=2e-2)

for step in range(1500):
    idx = torch.randint(0, len(x), (128,))
    pred, w = model(x[idx])
    load = w.mean(0)
    loss = F.mse_loss(pred, y[idx]) + 1e-3 * (load * load.clamp_min(1e-8).log()).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 300 == 0:
        print(step, round(loss.item(), 4))

with torch.no_grad():
    pred, _ = model(xt)
    r2 = 1 - ((pred - yt) ** 2).mean() / yt.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
