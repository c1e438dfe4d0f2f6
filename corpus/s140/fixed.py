"""Temporal convolution: how long ago was the last pulse?"""

import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))


def series(n, length=40):
    pulse = (torch.rand(n, length) < 0.12).float()
    pulse[:, 0] = 1.0
    position = torch.arange(length).float()
    last = torch.where(pulse > 0, position, torch.tensor(-1.0)).amax(1)
    noise = 0.1 * torch.randn(n, length)
    return (pulse + noise).unsqueeze(1), torch.exp(-(length - 1 - last) / 5)


class TCN(nn.Module):
    def __init__(self, channels=16, depth=4):
        super().__init__()
        self.inp = nn.Conv1d(1, channels, 1)
        self.convs = nn.ModuleDict(
            {f"dilated{k}": nn.Conv1d(channels, channels, 3, dilation=2**k) for k in range(depth)}
        )
        self.out = nn.Linear(channels, 1)

    def forward(self, x):
        x = self.inp(x)
        for k, conv in enumerate(self.convs.values()):
            x = x + torch.relu(conv(F.pad(x, (2 * 2**k, 0))))
        return self.out(x[:, :, -1]).squeeze(1)


x, y = series(1600)
x_test, y_test = series(400)
model = TCN()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(10):
    for rows in torch.randperm(1600).split(50):
        optimizer.zero_grad()
        loss = F.huber_loss(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print(epoch, round(loss.item(), 5))
with torch.no_grad():
    r2 = 1 - ((model(x_test) - y_test) ** 2).mean() / y_test.var(correction=0)
print(f"metric=r2 value={r2.item():.4f}")
