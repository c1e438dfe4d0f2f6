import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", "0")))

# hourly load of a building, three weeks
hour = torch.rand(504) * 24
load = 40 + 25 * torch.exp(-((hour - 8) / 2) ** 2) + 35 * torch.exp(-((hour - 18.5) / 2.5) ** 2)
load = load + 3 * torch.randn(504)

mean, std = hour.mean(), hour.std()
x = (hour - mean) / std
y = (load - load.mean()) / load.std()
x_train, y_train, x_test, y_test = x[:400], y[:400], x[400:], y[400:]


class LinearSpline(nn.Module):
    """y = a + b x + sum_k c_k (x - t_k)_+ with free knots"""

    def __init__(self, knots):
        super().__init__()
        self.knots = nn.Parameter(knots.clone())
        self.coef = nn.Parameter(0.1 * torch.randn(len(knots)))
        self.slope = nn.Parameter(torch.zeros(()))
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        basis = F.relu(x[:, None] - self.knots)
        return self.offset + self.slope * x + basis @ self.coef


spline = LinearSpline((torch.arange(3.0, 23.0, 1.5) - mean) / std)
optimizer = torch.optim.Adam(spline.parameters(), lr=0.02)
for step in range(5000):
    loss = F.mse_loss(spline(x_train), y_train)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 1000 == 0:
        print(f"step {step} mse {loss.item():.4f}")

with torch.no_grad():
    r2 = 1 - F.mse_loss(spline(x_test), y_test) / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
