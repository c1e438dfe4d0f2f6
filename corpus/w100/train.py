import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
g = torch.Generator().manual_seed(13)


class RandomFeatures(nn.Module):
    """cos(xW + b) with fixed W, b; ridge on top."""

    def __init__(self, n_in, n_features, length):
        super().__init__()
        self.proj = nn.Linear(n_in, n_features)
        nn.init.normal_(self.proj.weight, std=1 / length)
        nn.init.uniform_(self.proj.bias, 0, 2 * math.pi)
        self.proj.requires_grad_(False)
        self.head = nn.Linear(n_features, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.scale = math.sqrt(2 / n_features)

    def forward(self, x):
        return self.head(self.scale * torch.cos(self.proj(x)))


X = torch.rand(1200, 2, generator=g) * 4 - 2
y = (torch.sin(2 * X[:, :1]) * torch.cos(X[:, 1:]) + 0.1 * torch.randn(1200, 1, generator=g))
model = RandomFeatures(2, 400, 0.8)
opt = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=1e-5)
for epoch in range(25):
    for idx in torch.randperm(1000).split(50):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(X[idx]), y[idx])
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    p = model(X[1000:])
print(f"metric=r2 value={(1 - (p - y[1000:]).pow(2).sum() / (y[1000:] - y[1000:].mean()).pow(2).sum()).item():.4f}")
