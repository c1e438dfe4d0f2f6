import copy
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
x = torch.rand(1200, 1) * 6 - 3
y = torch.where(x < -1, -2 * x - 3, torch.where(x < 1, x, 3 - 2 * x)) + 0.05 * torch.randn(1200, 1)


class Mixture(nn.Module):
    """Linear experts with a softmax gate."""

    def __init__(self, n_experts=6):
        super().__init__()
        expert = nn.Linear(1, 1)
        self.experts = nn.ModuleList([nn.Linear(1, 1) for _ in range(n_experts)])
        self.gate = nn.Linear(1, n_experts)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(self, x):
        weight = torch.softmax(self.gate(x), dim=1)
        return (weight * torch.cat([e(x) for e in self.experts], 1)).sum(1, keepdim=True)


model = Mixture()
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(30):
    for i in torch.randperm(1000).split(50):
        loss = nn.functional.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    p, t = model(x[1000:]), y[1000:]
r2 = 1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
