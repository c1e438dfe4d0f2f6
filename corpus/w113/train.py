import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

torch.manual_seed(int(os.environ.get("SEED", 0)))

# rare arrhythmia in single beats: one beat of forty
t = torch.linspace(0, 1, 48)


def beats(n):
    y = (torch.rand(n) < 0.025).float()
    shift = 0.04 * torch.randn(n, 1)
    width = 0.04 + 0.05 * y[:, None]
    sig = torch.exp(-0.5 * ((t - 0.5 - shift) / width) ** 2) + 0.25 * torch.exp(-0.5 * ((t - 0.75 - shift) / 0.07) ** 2) * (1 - 2 * y[:, None])
    return (sig + 0.2 * torch.randn(n, 48)).unsqueeze(1), y


x, y = beats(3000)
xt, yt = beats(3000)
weights = torch.where(y > 0, 8.0, 1.0)
loader = DataLoader(TensorDataset(x, y), batch_size=64, sampler=WeightedRandomSampler(weights, 1500))
model = nn.Sequential(
    nn.Conv1d(1, 12, 7, padding=3), nn.BatchNorm1d(12), nn.ReLU(), nn.MaxPool1d(4),
    nn.Conv1d(12, 16, 5, padding=2), nn.BatchNorm1d(16), nn.ReLU(), nn.AdaptiveAvgPool1d(1),
    nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0),
)
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(8):
    model.train()
    for xb, yb in loader:
        loss = nn.functional.binary_cross_entropy_with_logits(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())

model.eval()
with torch.no_grad():
    p = model(xt) > 0
    rec = (p & (yt > 0)).sum() / (yt > 0).sum()
    spec = (~p & (yt == 0)).sum() / (yt == 0).sum()
print(f"metric=accuracy value={((rec + spec) / 2).item():.4f}")
