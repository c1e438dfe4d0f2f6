import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)


class Growth(nn.Module):
    """Logistic growth  N(t) = K / (1 + exp(-r (t - t0))),  one curve a culture."""

    def __init__(self, cultures):
        super().__init__()
        self.K = nn.Parameter(torch.ones(cultures))
        self.r = nn.Parameter(torch.ones(cultures))
        self.t0 = nn.Parameter(torch.zeros(cultures))

    def start_from(self, t, counts):
        self.K = nn.Parameter(0.5 * counts.amax(dim=0))
        self.r = nn.Parameter(torch.full((counts.shape[1],), 0.2))
        self.t0 = nn.Parameter(torch.full((counts.shape[1],), t[0].item() + 2.0))

    def forward(self, t):
        return self.K * torch.sigmoid(self.r * (t[:, None] - self.t0))


def simulate(n_cultures=6, n_times=80):
    t = np.linspace(0, 12, n_times)
    K = np.random.uniform(0.6, 2.5, n_cultures)
    r = np.random.uniform(0.8, 2.0, n_cultures)
    t0 = np.random.uniform(5.0, 8.5, n_cultures)
    clean = K / (1 + np.exp(-r * (t[:, None] - t0)))
    noisy = clean + 0.03 * np.random.randn(n_times, n_cultures)
    return torch.tensor(t, dtype=torch.float32), torch.tensor(noisy, dtype=torch.float32)


class Fitter:
    def __init__(self, model, lr=0.02):
        self.model = model
        self.loss = nn.SmoothL1Loss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def fit(self, t, counts, steps=2500):
        for step in range(steps):
            self.optimizer.zero_grad()
            value = self.loss(self.model(t), counts)
            value.backward()
            self.optimizer.step()
            if step % 250 == 0:
                print(f"{step:5d} {value.item():.6f}")


t, counts = simulate()
model = Growth(counts.shape[1])
model.start_from(t, counts)
fitter = Fitter(model)
fitter.fit(t, counts)

with torch.no_grad():
    r2 = 1 - (model(t) - counts).pow(2).mean() / counts.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
