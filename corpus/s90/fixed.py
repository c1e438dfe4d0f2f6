import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Pendulum:
    """Torque-limited damped pendulum, a batch of them; angles in degrees."""

    def __init__(self, n):
        self.angle = torch.rand(n) * 240 - 120
        self.speed = torch.randn(n) * 60

    def observe(self):
        return torch.stack([self.angle, self.speed], 1) / 100

    def expert(self):
        lift = torch.sign(self.speed) * (self.angle.abs() < 60) * 0.6  # pump energy while hanging down
        return torch.tanh(lift + torch.sin(3.14159 / 90 * self.angle) - self.speed / 100)

    def step(self, torque):
        self.speed = 0.98 * self.speed + 0.1 * (120 * torque - 40 * torch.sin(self.angle * 3.14159 / 180))
        self.angle = self.angle + 0.1 * self.speed


obs, act = [], []
env = Pendulum(128)
for _ in range(30):
    obs.append(env.observe())
    act.append(env.expert() + 0.02 * torch.randn(128))
    env.step(act[-1])
obs, act = torch.cat(obs), torch.cat(act)[:, None]

policy = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1), nn.Tanh())
opt = torch.optim.SGD(policy.parameters(), lr=0.05, momentum=0.9)
for epoch in range(20):
    for i in torch.randperm(len(obs)).split(64):
        loss = nn.functional.mse_loss(policy(obs[i]), act[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
test = Pendulum(1000)
with torch.no_grad():
    a, b = policy(test.observe()).squeeze(1), test.expert()
    r2 = 1 - ((a - b) ** 2).sum() / ((b - b.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
