import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
np.random.seed(seed)


class LeakyCell(nn.Module):
    """Continuous-time unit: state decays towards zero and is driven by the input."""

    def __init__(self, n_in, n_units):
        super().__init__()
        self.inp = nn.Linear(n_in, n_units)
        self.leak = nn.Parameter(torch.full((n_units,), 4.0))

    def forward(self, seq):
        keep = torch.sigmoid(self.leak)
        v = seq.new_zeros(seq.shape[0], self.leak.numel())
        for t in range(seq.shape[1]):
            v = keep * v + torch.tanh(self.inp(seq[:, t]))
        return v


class MemoryNet(nn.Module):
    def __init__(self, n_symbols=4, n_units=32):
        super().__init__()
        self.cell = LeakyCell(n_symbols + 1, n_units)
        self.readout = nn.Linear(n_units, n_symbols)

    def forward(self, seq):
        return self.readout(self.cell(seq))


def trial(n, delay=40):
    cue = torch.randint(0, 4, (n,))
    seq = torch.zeros(n, delay + 3, 5)
    for t in range(3):
        seq[torch.arange(n), t, cue] = 1.0
    seq[:, 3:, 4] = 0.3 * torch.randn(n, delay)
    return seq, cue


net = MemoryNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
for it in range(400):
    seq, cue = trial(64)
    loss = criterion(net(seq), cue)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 80 == 0:
        print(it, round(loss.item(), 4))

with torch.no_grad():
    seq, cue = trial(1000)
    acc = (net(seq).argmax(1) == cue).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
