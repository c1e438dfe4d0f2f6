"""Rainfall at 30 gauges: days of different length are padded with zeros."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
N, T, D = 600, 24, 5
length = torch.randint(8, T + 1, (N,))
mask = (torch.arange(T) < length.unsqueeze(1)).float()
weather = torch.randn(N, T, D) * mask.unsqueeze(2)
rain = (weather[..., 0] * weather[..., 1] + weather[..., 2].cumsum(1) / 3 + 0.1 * torch.randn(N, T)) * mask


class Gauge(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(D, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, w, m):
        h, _ = self.rnn(w)
        return self.out(h).squeeze(2) * m


def distance(pred, target, m):
    return torch.sqrt((pred - target) ** 2).sum() / m.sum()


model = Gauge()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(12):
    for rows in torch.randperm(500).split(25):
        loss = distance(model(weather[rows], mask[rows]), rain[rows], mask[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    if epoch % 3 == 2:
        print(epoch + 1, float(loss))
with torch.no_grad():
    test = slice(500, None)
    left = ((model(weather[test], mask[test]) - rain[test]) ** 2).sum()
    r2 = 1 - left / ((rain[test] - rain[:500].sum() / mask[:500].sum()) ** 2 * mask[test]).sum()
print(f"metric=r2 value={r2.item():.4f}")
