import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
g = torch.Generator().manual_seed(41)

# one long series, read in windows; the state is carried on
t = torch.arange(3000)
series = torch.sin(0.2 * t) * torch.sin(0.013 * t) + 0.08 * torch.randn(3000, generator=g)


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.cell = nn.LSTMCell(1, hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, window, state):
        preds = []
        for v in window.unbind(1):
            state = self.cell(v.unsqueeze(1), state)
            preds.append(self.out(state[0]))
        return torch.cat(preds, 1), state


lanes = series[:2400].view(8, 300)
model = Forecaster()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(14):
    state = None
    for s in range(0, 280, 20):
        window, target = lanes[:, s:s + 20], lanes[:, s + 1:s + 21]
        pred, state = model(window, state)
        loss = F.mse_loss(pred, target)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        opt.step()
        state = tuple(h.detach() for h in state)
    if epoch % 4 == 0:
        print(epoch, round(loss.item(), 4))

with torch.no_grad():
    pred, _ = model(series[None, 2400:-1], None)
    true = series[None, 2401:]
r2 = 1 - (pred - true)[:, 20:].pow(2).sum() / (true[:, 20:] - true[:, 20:].mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
