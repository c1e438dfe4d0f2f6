import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# emission spectrum, wavelength in nm relative to 580
wl = torch.linspace(0.0, 12.0, 400)
counts = 2.0 * np.exp(-0.5 * ((wl.numpy() - 2.6) / 0.35) ** 2) + 9.0 * np.exp(-0.5 * ((wl.numpy() - 8.4) / 0.5) ** 2)
counts = torch.tensor(counts + 0.5 + rng.normal(0, 0.1, 400), dtype=torch.float32)


def line(theta, x):
    amplitude, centre, log_width, baseline = theta
    return baseline + amplitude * torch.exp(-0.5 * ((x - centre) / log_width.exp()) ** 2)


guess = 2.0 + 0.4 * rng.random()
start = [2.0, guess, -0.5, counts.min().item()]
theta = torch.tensor(start, dtype=torch.float32, requires_grad=True)
lr = 0.02
velocity = torch.zeros_like(theta)
for step in range(6000):
    residual = line(theta, wl) - counts
    loss = 0.5 * residual.pow(2).mean()
    grad, = torch.autograd.grad(loss, theta)
    with torch.no_grad():
        velocity.mul_(0.9).add_(grad)
        theta -= lr * velocity
    if step % 1000 == 0:
        print(step, f"{loss.item():.5f}", [round(v, 3) for v in theta.tolist()])

with torch.no_grad():
    r2 = 1 - (line(theta, wl) - counts).pow(2).mean() / counts.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
