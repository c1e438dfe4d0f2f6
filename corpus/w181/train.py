import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.RandomState(seed)


def sample(n):
    x = rng.uniform(-2, 2, (n, 1))
    sigma = 0.02 + 0.03 * np.abs(x)
    y = 0.5 * np.sin(2 * x) + sigma * rng.randn(n, 1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class MeanVariance(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.mu = nn.Linear(width, 1)
        self.raw = nn.Linear(width, 1)

    def forward(self, x):
        h = self.shared(x)
        return self.mu(h), F.softplus(self.raw(h)) ** 2 + 1e-5


x_train, y_train = sample(1500)
x_test, y_test = sample(500)

model = MeanVariance()
nll = nn.GaussianNLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
epochs = 50
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

for epoch in range(epochs):
    for idx in torch.randperm(len(x_train)).split(50):
        mean, var = model(x_train[idx])
        loss = nll(mean, y_train[idx], var)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    schedule.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: nll {loss.item():.4f}")

with torch.no_grad():
    mean, var = model(x_test)
    r2 = 1 - F.mse_loss(mean, y_test) / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
