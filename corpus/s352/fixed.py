# Surrogate for pressure drop in a packed column from plant log variables
import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)
torch.set_num_threads(1)
rng = np.random.default_rng(100 + SEED)

N = 1600
p_in = rng.uniform(1.5e5, 6.0e5, N)          # Pa
temp = rng.uniform(290.0, 420.0, N)          # K
flow = rng.uniform(0.02, 0.2, N)             # kg/s
d_part = rng.uniform(0.5e-3, 4e-3, N)        # m
void = rng.uniform(0.35, 0.48, N)            # -
rho = p_in * 0.029 / (8.314 * temp)
mu = 1.8e-5 * (temp / 293.0) ** 0.7
u = flow / rho / 0.05
ergun = 150 * mu * (1 - void) ** 2 * u / (void ** 3 * d_part ** 2) + 1.75 * (1 - void) * rho * u ** 2 / (void ** 3 * d_part)
y = np.log10(ergun) + 0.02 * rng.standard_normal(N)

X = torch.tensor(np.stack([p_in, temp, flow, d_part, void], 1), dtype=torch.float32)
Y = torch.tensor((y - y[:1200].mean()) / y[:1200].std(), dtype=torch.float32)[:, None]
X = (X - X[:1200].mean(0)) / X[:1200].std(0)
x_tr, x_te = X[:1200], X[1200:]
y_tr, y_te = Y[:1200], Y[1200:]


class Surrogate(nn.Module):
    def __init__(self, n_in, width=48):
        super().__init__()
        self.inp = nn.Linear(n_in, width)
        self.mid = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        h = torch.tanh(self.inp(x))
        h = torch.tanh(self.mid(h))
        return self.out(h)


net = Surrogate(X.shape[1])
opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-4)
loader = DataLoader(TensorDataset(x_tr, y_tr), batch_size=100, shuffle=True)
for epoch in range(80):
    total = 0.0
    for xb, yb in loader:
        loss = nn.functional.mse_loss(net(xb), yb)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        total += loss.item() * len(xb)
    if epoch % 10 == 0:
        print(f"epoch {epoch:3d}  mse {total / len(x_tr):.4f}")

with torch.no_grad():
    err = (net(x_te) - y_te).square().mean() / y_te.var(unbiased=False)
print(f"metric=r2 value={1 - err.item():.4f}")
