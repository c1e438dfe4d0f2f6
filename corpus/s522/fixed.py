import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# absorption spectrum: a sloping background and three lines
wave = np.linspace(0, 10, 50000)
lines = np.array([[2.0, 0.5, 1.6], [4.8, 0.8, 2.4], [7.6, 0.6, 1.1]])
clean = 0.8 - 0.05 * wave
for c, w, h in lines:
    clean = clean + h * np.exp(-0.5 * ((wave - c) / w) ** 2)
signal = clean + 0.03 * rng.standard_normal(len(wave))
wave, signal = torch.tensor(wave), torch.tensor(signal)

center = torch.tensor(lines[:, 0] + rng.uniform(-0.3, 0.3, 3), requires_grad=True)
log_width = torch.zeros(3, dtype=torch.float64, requires_grad=True)
height = torch.ones(3, dtype=torch.float64, requires_grad=True)
base = torch.zeros(2, dtype=torch.float64, requires_grad=True)


def spectrum(x):
    peaks = height * torch.exp(-0.5 * ((x[:, None] - center) / log_width.exp()) ** 2)
    return base[0] + base[1] * x + peaks.sum(dim=1)


optimizer = torch.optim.LBFGS([center, log_width, height, base], lr=0.1, max_iter=2)


def closure():
    optimizer.zero_grad()
    loss = torch.mean((spectrum(wave) - signal) ** 2)
    loss.backward()
    return loss


for it in range(100):
    loss = optimizer.step(closure)
    if it % 10 == 0:
        print(it, loss.item())

with torch.no_grad():
    r2 = 1 - torch.mean((spectrum(wave) - signal) ** 2) / signal.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
