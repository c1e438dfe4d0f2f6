"""Daily returns from yesterday's signals: nearly all of it is noise, a little is not."""

import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)
n, d = 8000, 10
signal = rng.standard_normal((n, d)).astype(np.float32)
expected = 0.2 * signal[:, 0] - 0.15 * np.tanh(2 * signal[:, 1])
returns = (expected + rng.standard_t(5, n)).astype(np.float32)
x, y = torch.from_numpy(signal), torch.from_numpy(returns)
loader = DataLoader(TensorDataset(x[:6000], y[:6000]), batch_size=100, shuffle=True, drop_last=True)


class Alpha(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(d, 16)
        self.b = nn.Linear(16, 1)

    def forward(self, s):
        return self.b(torch.tanh(self.a(s))).squeeze(-1)


model = Alpha()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-3)
for epoch in range(8):
    losses = []
    for s, r in loader:
        loss = nn.functional.mse_loss(model(s), r)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} mse {np.mean(losses):.4f}")
model.eval()
with torch.no_grad():
    alpha = model(x[6000:]).numpy()
print(f"metric=correlation value={np.corrcoef(alpha, expected[6000:])[0, 1]:.4f}")
