import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
g = torch.Generator().manual_seed(29)
X = torch.rand(900, 1, generator=g) * 6 - 3
y = torch.sin(2 * X) + 0.3 * X + 0.15 * torch.randn(900, 1, generator=g)


class BayesNet(nn.Module):
    """Dropout is kept on for predictions; their spread is the uncertainty."""

    def __init__(self, width=128, p=0.05):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(1, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.p = p

    def forward(self, x):
        x = F.dropout(torch.relu(self.a(x)), self.p, training=True)
        x = F.dropout(torch.relu(self.b(x)), self.p, training=True)
        return self.c(x)

    @torch.no_grad()
    def predict(self, x, n=40):
        draws = torch.stack([self(x) for _ in range(n)])
        return draws.mean(0), draws.std(0)


model = BayesNet()
opt = torch.optim.Adam(model.parameters(), lr=4e-3, weight_decay=1e-6)
for epoch in range(80):
    for idx in torch.randperm(700).split(70):
        opt.zero_grad()
        loss = F.mse_loss(model(X[idx]), y[idx])
        loss.backward()
        opt.step()
    if epoch % 20 == 0:
        mean, std = model.predict(X[700:], 10)
        print(epoch, f"{F.mse_loss(mean, y[700:]).item():.4f} spread {std.mean().item():.3f}")

mean, std = model.predict(X[700:])
t = y[700:]
print(f"metric=r2 value={(1 - (mean - t).pow(2).sum() / (t - t.mean()).pow(2).sum()).item():.4f}")
