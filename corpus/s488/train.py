import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

days = 50


class SIR(nn.Module):
    """state = (susceptible, infected), Heun steps of one day"""

    def __init__(self, beta, gamma, reported):
        super().__init__()
        self.log_rates = nn.Parameter(torch.log(torch.tensor([beta, gamma])))
        self.reported = nn.Parameter(torch.tensor(reported))
        self.start = torch.tensor([0.999, 0.001])

    def forward(self, n):
        beta, gamma = self.log_rates.exp().tolist()

        def rhs(u):
            infection = beta * u[0] * u[1]
            return torch.stack([-infection, infection - gamma * u[1]])

        u, infected = self.start, []
        for _ in range(n):
            infected.append(u[1])
            k1 = rhs(u)
            k2 = rhs(u + k1)
            u = u + 0.5 * (k1 + k2)
        return self.reported * torch.stack(infected)


with torch.no_grad():
    cases = 100 * SIR(0.9, 0.12, 0.7)(days)
cases = cases + 0.6 * torch.randn(days)

model = SIR(0.4, 0.25, 0.5)
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for it in range(250):
    opt.zero_grad()
    residual = 100 * model(days) - cases
    loss = residual.pow(2).mean()
    loss.backward()
    opt.step()
    if it % 50 == 0:
        print(f"iter {it:4d}  mse {loss.item():.4f}")

beta, gamma = model.log_rates.exp().tolist()
print(f"beta {beta:.3f} gamma {gamma:.3f} R0 {beta / gamma:.2f}")
with torch.no_grad():
    r2 = 1 - (100 * model(days) - cases).pow(2).mean() / cases.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
