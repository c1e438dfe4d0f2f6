import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

# inverse problem: du/dt = r u (1 - u), growth rate r unknown, noisy counts for t < 3
r_true, u0 = 1.6, 0.05


def exact(t):
    return 1 / (1 + (1 / u0 - 1) * torch.exp(-r_true * t))


t_obs = torch.rand(40, 1) * 3
u_obs = exact(t_obs) + 0.01 * torch.randn(40, 1)
t_phys = torch.linspace(0, 6, 80).reshape(-1, 1)


class Population(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, 32), nn.Tanh(),
            nn.Linear(32, 32), nn.Tanh(),
            nn.Linear(32, 1),
        )
        self.rate = torch.tensor([0.1], requires_grad=True)

    def forward(self, t):
        return self.net(t / 3 - 1)

    def physics(self, t):
        t = t.clone().requires_grad_(True)
        u = self(t)
        du = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        return du - self.rate * u * (1 - u)


model = Population()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for step in range(3001):
    optimizer.zero_grad()
    data_loss = nn.functional.mse_loss(model(t_obs), u_obs)
    physics_loss = model.physics(t_phys).pow(2).mean()
    loss = data_loss + physics_loss
    loss.backward()
    optimizer.step()
    if step % 300 == 0:
        print(f"{step} data {data_loss.item():.2e} physics {physics_loss.item():.2e} rate {model.rate.item():.3f}")

t_new = torch.linspace(3, 6, 100).reshape(-1, 1)
with torch.no_grad():
    truth = exact(t_new)
    r2 = 1 - (model(t_new) - truth).pow(2).mean() / truth.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
