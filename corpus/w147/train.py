import os
import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# time to failure of pumps: non-linear hazard, many still running when the study ends
n = 3000
x = rng.normal(size=(n, 8))
log_hazard = 1.8 * np.abs(x[:, 0]) + 1.2 * x[:, 1] * (x[:, 2] > 0) - 1.0 * x[:, 3]
failure = rng.weibull(1.3, n) * np.exp(-log_hazard) * 10
cutoff = rng.exponential(np.quantile(failure, 0.35), n)
time = torch.tensor(np.minimum(failure, cutoff), dtype=torch.float32)
event = torch.tensor(failure <= cutoff, dtype=torch.float32)
x = torch.tensor(x, dtype=torch.float32)


def cox_loss(score, time, event):
    order = time.argsort(descending=True)
    score, event = score[order], event[order]
    return -((score - torch.logcumsumexp(score, 0)) * event).sum() / event.sum().clamp(min=1)


def concordance(score, time, event):
    comparable = (time[:, None] < time[None, :]) & (event[:, None] == 1)
    right = (score[:, None] > score[None, :]) & comparable
    return (right.sum() / comparable.sum()).item()


net = nn.Sequential(nn.Linear(8, 32), nn.SELU(), nn.AlphaDropout(0.05), nn.Linear(32, 32), nn.SELU(),
                    nn.Linear(32, 1, bias=False))
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-3)
for epoch in range(40):
    net.train()
    for idx in torch.randperm(2200).split(100):
        optimizer.zero_grad()
        loss = cox_loss(net(x[idx]).squeeze(-1), time[idx], event[idx])
        loss.backward()
        optimizer.step()
    if epoch % 8 == 7:
        print(f"epoch {epoch + 1} loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    c = concordance(net(x[2200:]).squeeze(-1), time[2200:], event[2200:])
print(f"metric=c_index value={c:.4f}")
