import math
import os

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence

torch.manual_seed(int(os.environ.get("SEED", "0")))


def damped_series(n, longest=20):
    lengths = torch.randint(8, longest + 1, (n,))
    t = torch.arange(longest + 1).float()
    freq = 0.3 + 0.5 * torch.rand(n, 1)
    phase = 6.283 * torch.rand(n, 1)
    x = torch.sin(freq * t + phase) + 0.02 * torch.randn(n, longest + 1)
    rows = torch.arange(n)
    target = x[rows, lengths].clone()
    x[t[None] >= lengths[:, None]] = 0.0
    return x[:, :longest].unsqueeze(-1), lengths, target


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 2)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)
        mean, log_var = self.head(last[-1]).unbind(-1)
        return mean, log_var.clamp(-9, 4)


def nll(mean, log_var, y):
    return 0.5 * (math.log(2 * math.pi) + log_var + (y - mean) ** 2 * torch.exp(-log_var)).mean()


x, lengths, y = damped_series(1600)
xv, lv, yv = damped_series(500)
model = Forecaster()
epochs = 30
opt = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-4)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, 1e-2, total_steps=epochs * 25)
for epoch in range(epochs):
    total = 0.0
    for idx in torch.randperm(1600).split(64):
        loss = nll(*model(x[idx], lengths[idx]), y[idx])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        sched.step()
        total += loss.item() * len(idx)
    if epoch % 6 == 5:
        print(f"epoch {epoch + 1} nll {total / 1600:.4f}")

with torch.no_grad():
    mean, _ = model(xv, lv)
    r2 = 1 - ((mean - yv) ** 2).mean() / yv.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
