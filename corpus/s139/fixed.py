"""Which of two pulses in a signal comes first, the narrow or the wide one?"""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def pairs(n, length=32):
    t = torch.arange(length).float()
    a, b = torch.rand(2, n, 1) * (length - 8) + 4
    x = torch.exp(-((t - a) ** 2) / 4) + torch.exp(-((t - b) ** 2) / 16)
    return (x + 0.1 * torch.randn(n, length)).unsqueeze(1), (a < b).long().squeeze(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 5, padding=2), nn.GELU(), nn.MaxPool1d(2), nn.Conv1d(16, 16, 5, padding=2), nn.GELU()
        )
        self.classify = nn.Linear(16 * 16, 2)

    def forward(self, x):
        return self.classify(self.features(x).flatten(1))


x, y = pairs(2000)
x_test, y_test = pairs(500)
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for epoch in range(10):
    for rows in torch.randperm(2000).split(40):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
        opt.step()
    print(epoch + 1, loss.item())
with torch.no_grad():
    print(f"metric=accuracy value={(net(x_test).argmax(1) == y_test).float().mean().item():.4f}")
