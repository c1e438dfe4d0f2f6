import os
import math
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
gen = torch.Generator().manual_seed(14)

# which of three machines: 25 readings of vibration
N, T = 900, 25
kind = torch.randint(0, 3, (N,), generator=gen)
freq = torch.tensor([0.35, 0.6, 0.95])[kind]
phase = torch.rand(N, generator=gen) * 2 * math.pi
series = torch.sin(freq[:, None] * torch.arange(T) + phase[:, None]) + 0.2 * torch.randn(N, T, generator=gen)
series = series.unsqueeze(-1)


class Monitor(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden)
        self.head = nn.Linear(hidden, 3)

    def forward(self, x):
        states, _ = self.gru(x)
        return self.head(states[:, -1])


model = Monitor()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
criterion = nn.CrossEntropyLoss()
for epoch in range(25):
    for idx in torch.randperm(700).split(50):
        optimizer.zero_grad()
        loss = criterion(model(series[idx]), kind[idx])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    acc = (model(series[700:]).argmax(1) == kind[700:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
