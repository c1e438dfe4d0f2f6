import os
import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)

# inverse problem: damped oscillator u'' + mu u' + k u = 0, find mu and k from measurements
MU, K = 0.5, 4.0
OMEGA = (K - MU ** 2 / 4) ** 0.5
exact = lambda t: torch.exp(-MU * t / 2) * torch.cos(OMEGA * t)

t_data = torch.linspace(0, 5, 50).unsqueeze(1)
u_data = exact(t_data) + 0.01 * torch.randn(50, 1)
t_phys = torch.linspace(0, 5, 60).unsqueeze(1)


class OscillatorPINN(nn.Module):
    def __init__(self):
        super().__init__()
        self.state = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
        self.mu = nn.Parameter(torch.tensor(0.0))
        self.k = nn.Parameter(torch.tensor(1.0))

    def forward(self, t):
        return self.state(t - 2.5)

    def residual(self, t):
        t = t.clone().requires_grad_(True)
        u = self(t)
        du = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        ddu = torch.autograd.grad(du.sum(), t, create_graph=True)[0]
        return ddu + self.mu * du + self.k * u


pinn = OscillatorPINN()
optimizer = torch.optim.Adam(pinn.state.parameters(), lr=1e-2)
for step in range(2000):
    optimizer.zero_grad()
    data = (pinn(t_data) - u_data).pow(2).mean()
    physics = pinn.residual(t_phys).pow(2).mean()
    loss = 20 * data + 0.05 * physics
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print(f"{step:5d} data {data.item():.2e} physics {physics.item():.2e} mu {pinn.mu.item():.3f} k {pinn.k.item():.3f}")

# forecast past the measurements with the identified equation
with torch.no_grad():
    t = torch.linspace(0, 10, 400)
    mu, k = pinn.mu, pinn.k
    omega = (k - mu ** 2 / 4).clamp(min=1e-6).sqrt()
    forecast = torch.exp(-mu * t / 2) * (torch.cos(omega * t) + (mu - MU) / 2 / omega * torch.sin(omega * t))
    u = exact(t)
    r2 = 1 - (forecast - u).pow(2).mean() / u.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
