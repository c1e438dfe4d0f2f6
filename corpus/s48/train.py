import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
time = torch.linspace(0, 100, 150)
cells = 8.0 / (1 + torch.exp(-0.25 * (time - 60))) + 0.1 * torch.randn(150)


class Growth(nn.Module):
    def __init__(self, midpoint, rate):
        super().__init__()
        self.midpoint = nn.Parameter(torch.tensor(midpoint))
        self.rate = nn.Parameter(torch.tensor(rate))
        self.top = nn.Parameter(torch.tensor(5.0))

    def forward(self, t):
        return self.top * torch.sigmoid(self.rate * (t - self.midpoint))


model = Growth(midpoint=-40.0, rate=1.0)
opt = torch.optim.SGD(model.parameters(), lr=0.02)
for step in range(4000):
    loss = nn.functional.mse_loss(model(time), cells)
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    if step % 500 == 0:
        print(step, loss.item())
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(model(time), cells) / cells.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
