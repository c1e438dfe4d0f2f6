import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)


class Waveforms(Dataset):
    """sine, square, sawtooth or chirp with a random phase"""

    def __init__(self, n, length=64):
        t = np.linspace(0, 1, length)
        self.y = rng.integers(0, 4, n)
        rows = []
        for k in self.y:
            f, ph = rng.uniform(2, 5), rng.uniform(0, 1)
            u = f * t + ph
            if k == 0:
                s = np.sin(2 * np.pi * u)
            elif k == 1:
                s = np.sign(np.sin(2 * np.pi * u))
            elif k == 2:
                s = 2 * (u % 1) - 1
            else:
                s = np.sin(2 * np.pi * (u + 6 * t ** 2))
            rows.append(s + 0.1 * rng.standard_normal(length))
        self.x = np.stack(rows).astype("float32")[:, None]

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], int(self.y[i])


class ConvBlock(nn.Module):
    def __init__(self, c_in, c_out, dilation):
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, kernel_size=3, padding=dilation, dilation=dilation)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.conv(x))


class SignalNet(nn.Module):
    def __init__(self, width=16, n_blocks=9, n_classes=4):
        super().__init__()
        chans = [1] + [width] * n_blocks
        self.blocks = nn.ModuleList(
            ConvBlock(chans[i], chans[i + 1], dilation=2 ** (i % 3)) for i in range(n_blocks)
        )
        self.pool = nn.AdaptiveAvgPool1d(4)
        self.fc = nn.Linear(4 * width, n_classes)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.fc(self.pool(x).flatten(1))


train_dl = DataLoader(Waveforms(800), batch_size=40, shuffle=True)
test_dl = DataLoader(Waveforms(400), batch_size=200)
net = SignalNet()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
ce = nn.CrossEntropyLoss()

for epoch in range(1, 16):
    total = 0.0
    for x, y in train_dl:
        opt.zero_grad()
        loss = ce(net(x), y)
        loss.backward()
        opt.step()
        total += loss.item()
    if epoch % 3 == 0:
        print(f"[{epoch}] {total / len(train_dl):.4f}")

net.eval()
hits = 0
with torch.no_grad():
    for x, y in test_dl:
        hits += (net(x).argmax(1) == y).sum().item()
print(f"metric=accuracy value={hits / len(test_dl.dataset):.4f}")
