import os

import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))


def vibration(n, length=64):
    level = torch.randint(3, (n,))
    gain = torch.tensor([0.4, 1.0, 2.5])[level] * (0.85 + 0.3 * torch.rand(n))
    t = torch.arange(length) / length
    freq = 2 + 8 * torch.rand(n, 1)
    wave = torch.sin(6.283 * (freq * t + torch.rand(n, 1))) + 0.5 * torch.randn(n, length)
    return (gain[:, None] * wave).unsqueeze(1), level


class WearNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 12, 5, padding=2), nn.BatchNorm1d(12), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(12, 24, 5, padding=2), nn.BatchNorm1d(24), nn.ReLU(),
        )
        self.classifier = nn.Linear(24, 3)

    def forward(self, x):
        return self.classifier(self.features(x).mean(-1))


x, level = vibration(640)
x_val, level_val = vibration(400)
net = WearNet()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
ce = nn.CrossEntropyLoss()
ACCUMULATE = 16

for epoch in range(8):
    net.train()
    total = 0.0
    opt.zero_grad()
    for k, i in enumerate(torch.randperm(len(x)).tolist()):
        loss = ce(net(x[i:i + 1]), level[i:i + 1])
        (loss / ACCUMULATE).backward()
        total += loss.item()
        if (k + 1) % ACCUMULATE == 0:
            opt.step()
            opt.zero_grad()
    print(f"epoch {epoch} loss {total / len(x):.4f}")

net.eval()
with torch.no_grad():
    acc = (net(x_val).argmax(1) == level_val).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
