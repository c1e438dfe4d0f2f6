import os
import torch
from torch import nn
from torch.distributions import Beta

torch.manual_seed(int(os.environ.get("SEED", 0)))

# share of a field covered by weeds, as scored by an observer to the nearest percent
n = 1200
x = torch.randn(n, 6)
w = torch.tensor([0.9, -0.7, 0.5, 0.0, 0.6, -0.4])
share = torch.sigmoid(x @ w + 0.5 * torch.sin(2 * x[:, 0]) - 0.3 + 0.35 * torch.randn(n))
share = (share * 100).round() / 100
share[torch.rand(n) < 0.01] = 0.0
x_train, x_test, y_train, y_test = x[:900], x[900:], share[:900], share[900:]


class BetaRegression(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU())
        self.mean = nn.Linear(32, 1)
        self.log_conc = nn.Linear(32, 1)

    def forward(self, x):
        h = self.trunk(x)
        mu = torch.sigmoid(self.mean(h)).squeeze(1).clamp(0.01, 0.99)
        phi = nn.functional.softplus(self.log_conc(h)).squeeze(1) + 2.0
        return mu, phi


model = BetaRegression()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(40):
    for idx in torch.randperm(900).split(60):
        mu, phi = model(x_train[idx])
        dist = Beta(mu * phi, (1 - mu) * phi, validate_args=False)
        nll = -dist.log_prob(y_train[idx]).mean()
        optimizer.zero_grad()
        nll.backward()
        optimizer.step()
    if epoch % 8 == 0:
        print("epoch", epoch, "nll", nll.item())

with torch.no_grad():
    mu, _ = model(x_test)
    r2 = 1 - ((mu - y_test) ** 2).mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
