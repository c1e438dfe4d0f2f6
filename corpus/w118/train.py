import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

digits = load_digits()
X = torch.tensor(digits.data / 16, dtype=torch.bfloat16)
y = torch.tensor(digits.target)
ink = torch.tensor(digits.data.mean(1) / 16 * 3, dtype=torch.bfloat16)
p = torch.randperm(len(y))
X, y, ink = X[p], y[p], ink[p]


class TwoTask(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(64, 96), nn.LayerNorm(96), nn.GELU())
        self.digit = nn.Linear(96, 10)
        self.even = nn.Linear(96, 1)
        self.ink = nn.Linear(96, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.digit(h), self.even(h).squeeze(1), self.ink(h).squeeze(1)


model = TwoTask().to(torch.bfloat16)
opt = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
for epoch in range(12):
    for b in torch.randperm(1400).split(50):
        d, e, k = model(X[b])
        loss = (F.cross_entropy(d.float(), y[b], label_smoothing=0.1)
                + 0.3 * F.binary_cross_entropy_with_logits(e.float(), (y[b] % 2 == 0).float())
                + 0.5 * F.mse_loss(k.float(), ink[b].float()))
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 3 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    acc = (model(X[1400:])[0].argmax(1) == y[1400:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
