import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

x = torch.linspace(-4, 4, 300)
y = torch.sin(2.5 * x) + 0.05 * torch.randn(300)
K = 8


class Bumps(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.centre = nn.Parameter(torch.zeros(k))
        self.log_width = nn.Parameter(torch.zeros(k))
        self.height = nn.Parameter(torch.full((k,), 0.1))

    def forward(self, x):
        d = (x[:, None] - self.centre) / self.log_width.exp()
        return torch.exp(-d ** 2) @ self.height


model = Bumps(K)
loss_fn = nn.MSELoss()
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(1000):
    opt.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    opt.step()
    if epoch % 100 == 0:
        print(f"{epoch:4d} {loss.item():.5f}")

with torch.no_grad():
    r2 = 1 - loss_fn(model(x), y) / y.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
