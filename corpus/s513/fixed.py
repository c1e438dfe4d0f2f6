import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))


class GatedConv(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.pad = nn.ConstantPad1d((dilation, 0), 0.0)
        self.filter = nn.Conv1d(channels, channels, 2, dilation=dilation)
        self.gate = nn.Conv1d(channels, channels, 2, dilation=dilation)

    def forward(self, x):
        h = self.pad(x)
        return torch.tanh(self.filter(h)) * torch.sigmoid(self.gate(h))


class TinyWaveNet(nn.Module):
    def __init__(self, channels=16, stacks=2, layers=6):
        super().__init__()
        self.start = nn.Conv1d(1, channels, 1)
        self.blocks = nn.ModuleList(
            [GatedConv(channels, 2 ** i) for _ in range(stacks) for i in range(layers)]
        )
        self.end = nn.Conv1d(channels, 1, 1)

    def forward(self, x):
        x = self.start(x)
        for block in self.blocks:
            x = x + block(x)
        return self.end(x)


def batch(n, length=48):
    t = torch.arange(length + 1)
    f = 0.05 + 0.1 * torch.rand(n, 1)
    p = 6.2832 * torch.rand(n, 1)
    s = torch.sin(6.2832 * f * t + p) + 0.05 * torch.randn(n, length + 1)
    return s[:, None, :-1], s[:, None, 1:]


model = TinyWaveNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
criterion = nn.MSELoss()
for step in range(300):
    x, y = batch(32)
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if step % 100 == 0:
        print(f"{step} {loss.item():.5f}")

model.eval()
with torch.no_grad():
    x, y = batch(400)
    r2 = 1 - criterion(model(x), y) / y.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
