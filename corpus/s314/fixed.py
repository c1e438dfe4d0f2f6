import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

t = torch.arange(0.2, 3.0, 0.05)
height = (14.0 * t - 0.5 * 9.81 * t ** 2).clamp(min=0) + 0.03 * torch.randn(len(t))


class Throw(nn.Module):
    """Vertical throw; the ball stays on the ground once it has come down."""

    def __init__(self, v0, g):
        super().__init__()
        self.v0 = nn.Parameter(torch.tensor(v0))
        self.g = nn.Parameter(torch.tensor(g))

    def forward(self, t):
        return torch.clamp(self.v0 * t - 0.5 * self.g * t ** 2, min=0.0)


model = Throw(v0=20.0, g=12.0)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
loss_fn = nn.MSELoss()
for i in range(900):
    optimizer.zero_grad()
    loss = loss_fn(model(t), height)
    loss.backward()
    optimizer.step()
    if i % 200 == 0:
        print(f"{i:4d} loss {loss.item():.4f} v0 {model.v0.item():.3f} g {model.g.item():.3f}")

with torch.no_grad():
    r2 = 1 - loss_fn(model(t), height) / height.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
