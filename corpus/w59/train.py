import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def batch(n, length=20):
    """The adding problem: two marked numbers of a sequence, what is their sum?"""
    v = torch.rand(n, length)
    m = torch.zeros(n, length)
    for row in m:
        row[torch.randperm(length)[:2]] = 1
    return torch.stack([v, m], 2), (v * m).sum(1, keepdim=True)


class Adder(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(2, 40, batch_first=True)
        self.fc = nn.Linear(40, 1)

    def forward(self, x):
        return self.fc(self.gru(x)[0][:, -1])


net = Adder()
opt = torch.optim.RMSprop(net.parameters(), lr=3e-3)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, 6e-3, total_steps=450)
for step in range(450):
    x, y = batch(48)
    loss = nn.functional.mse_loss(net(x), y)
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
    sched.step()
    if step % 75 == 0:
        print(step, loss.item())
with torch.no_grad():
    x, y = batch(500)
    r2 = 1 - ((net(x) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
