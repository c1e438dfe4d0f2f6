import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_num_threads(1)
T, MICRO, ACCUM, UPDATES = 14, 32, 3, 500


def adding(n):
    v = torch.rand(n, T)
    m = torch.zeros(n, T)
    i = torch.randint(0, T // 2, (n, 1))
    j = torch.randint(T // 2, T, (n, 1))
    m.scatter_(1, i, 1.0).scatter_(1, j, 1.0)
    return torch.stack([v, m], 2), (v * m).sum(1)


class Adder(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.rnn = nn.LSTM(2, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)
        with torch.no_grad():
            self.rnn.bias_ih_l0[hidden:2 * hidden].fill_(1.0)

    def forward(self, x):
        h, _ = self.rnn(x)
        return self.out(h[:, -1]).squeeze(-1)


model = Adder()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=1.5e-2, total_steps=UPDATES, pct_start=0.2)
for u in range(UPDATES):
    opt.zero_grad()
    total = 0.0
    for _ in range(ACCUM):
        x, y = adding(MICRO)
        loss = nn.functional.mse_loss(model(x), y)
        (loss / ACCUM).backward()
        total += loss.item() / ACCUM
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    sched.step()
    if u % 50 == 0:
        print(f"update {u} loss {total:.4f} grad {norm:.3f}")

model.eval()
with torch.no_grad():
    x, y = adding(1000)
    r2 = 1 - ((model(x) - y) ** 2).mean() / y.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
