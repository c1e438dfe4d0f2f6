import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


def measure(n):
    x = torch.rand(n, 2) * 4 - 2
    mean = torch.sin(2 * x[:, 0]) + 0.3 * x[:, 1] ** 2 - 0.4
    spread = 0.03 + 0.05 * (x[:, 1] + 2) / 4
    return x, mean + spread * torch.randn(n)


class MeanAndVariance(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.mean = nn.Linear(hidden, 1)
        self.log_var = nn.Linear(hidden, 1)

    def forward(self, x):
        h = self.body(x)
        return self.mean(h).squeeze(1), self.log_var(h).squeeze(1)


x_train, y_train = measure(2000)
x_test, y_test = measure(800)
net = MeanAndVariance()
epochs = 80
optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=1e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

for epoch in range(epochs):
    total = 0.0
    for idx in torch.randperm(len(x_train)).split(100):
        mean, log_var = net(x_train[idx])
        loss = 0.5 * (log_var + (y_train[idx] - mean) ** 2 * torch.exp(-log_var)).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        total += loss.item() * len(idx)
    schedule.step()
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1} nll {total / len(x_train):.4f} lr {schedule.get_last_lr()[0]:.2e}")

with torch.no_grad():
    mean, log_var = net(x_test)
    z = (y_test - mean) / torch.exp(0.5 * log_var)
    print(f"share within two sigma {(z.abs() < 2).float().mean().item():.3f}")
    r2 = 1 - ((mean - y_test) ** 2).mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
