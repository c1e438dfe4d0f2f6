import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)


def sensor_data(n):
    x = rng.uniform(-2, 2, (n, 1))
    sigma = 0.02 + 0.06 * (x > 0)
    y = 0.6 * np.sin(2.5 * x) + 0.2 * x + sigma * rng.standard_normal((n, 1))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class GaussianMLP(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.mean = nn.Linear(hidden, 1)
        self.log_var = nn.Linear(hidden, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.mean(h), self.log_var(h).clamp(-10, 4)


class Fit:
    accumulate = 4

    def __init__(self, module, lr=1e-2, epochs=60):
        self.module, self.epochs = module, epochs
        self.opt = torch.optim.AdamW(module.parameters(), lr=lr, weight_decay=1e-4)
        self.sched = torch.optim.lr_scheduler.CosineAnnealingLR(self.opt, T_max=epochs)

    def training_step(self, batch):
        x, y = batch
        mean, log_var = self.module(x)
        return nn.functional.gaussian_nll_loss(mean, y, log_var.exp())

    def fit(self, loader):
        for epoch in range(self.epochs):
            history = []
            for i, batch in enumerate(loader):
                loss = self.training_step(batch)
                (loss / self.accumulate).backward()
                history.append(loss.item())
                if (i + 1) % self.accumulate == 0:
                    nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
                    self.opt.step()
                    self.opt.zero_grad()
            self.sched.step()
            if epoch % 10 == 9:
                print(f"epoch {epoch + 1}: nll {np.mean(history):.4f}")


x_train, y_train = sensor_data(1024)
x_test, y_test = sensor_data(400)
model = GaussianMLP()
Fit(model).fit(DataLoader(TensorDataset(x_train, y_train), batch_size=16, shuffle=True))

with torch.no_grad():
    mean, _ = model(x_test)
    r2 = 1 - (mean - y_test).pow(2).mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
