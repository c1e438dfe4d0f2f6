"""Survival of patients: Cox partial likelihood on the whole table, concordance at the end."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
n, d = 900, 8
x = torch.randn(n, d)
hazard = torch.exp(0.9 * x[:, 0] - 0.7 * x[:, 1] * (x[:, 2] > 0) + 0.4 * x[:, 3].abs())
time = torch.distributions.Exponential(hazard).sample()
end = torch.distributions.Exponential(torch.full((n,), 0.4)).sample()
seen = (time <= end).float()
time = torch.minimum(time, end)
tr, te = slice(0, 650), slice(650, None)
order = time[tr].argsort(descending=True)
x_tr, seen_tr = x[tr][order], seen[tr][order]

net = nn.Sequential(nn.Linear(d, 24), nn.Softplus(), nn.Dropout(0.1), nn.Linear(24, 1, bias=False))
opt = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)
for step in range(150):
    eta = net(x_tr).squeeze(1)
    loss = -((eta - torch.logcumsumexp(eta, 0)) * seen_tr).sum() / seen_tr.sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 30 == 0:
        print(step, f"{loss.item():.3f}")
net.eval()
with torch.no_grad():
    eta = net(x[te]).squeeze(1)
t, s = time[te], seen[te].bool()
comparable = (t.unsqueeze(1) < t) & s.unsqueeze(1)
good = (eta.unsqueeze(1) > eta) & comparable
print(f"metric=concordance value={(good.sum() / comparable.sum()).item():.4f}")
