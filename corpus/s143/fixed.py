"""Heart sounds: a deep stack of convolutions over time."""

import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def beats(n, length=48):
    kind = torch.randint(0, 3, (n,))
    period = torch.tensor([6.0, 8.0, 11.0])[kind].unsqueeze(1)
    t = torch.arange(length) + 12 * torch.rand(n, 1)
    x = torch.cos(6.2832 * t / period).clamp_min(0) ** 4
    return (x + 0.15 * torch.randn(n, length)).unsqueeze(1), kind


def block(a, b):
    return nn.Sequential(nn.Conv1d(a, b, 3, padding=1), nn.BatchNorm1d(b), nn.ReLU())


class Deep(nn.Module):
    def __init__(self, depth=14, width=12):
        super().__init__()
        self.first = block(1, width)
        self.rest = nn.Sequential(*[block(width, width) for _ in range(depth)])
        self.top = nn.Linear(width, 3)

    def forward(self, x):
        return self.top(self.rest(self.first(x)).amax(2))


x, y = beats(1200)
x_test, y_test = beats(400)
net = Deep()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
for epoch in range(6):
    for rows in torch.randperm(1200).split(40):
        optimizer.zero_grad()
        loss = criterion(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
with torch.no_grad():
    print(f"metric=accuracy value={(net(x_test).argmax(1) == y_test).float().mean().item():.4f}")
