import os
import math
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
torch.set_default_dtype(torch.float64)

# calibration of a sensor: voltage -> level, the noise grows with the voltage
volt = torch.rand(1200, 1) * 4 - 2
sigma = 0.01 + 0.03 * (volt + 2)
level = 0.4 * torch.sin(2.5 * volt) + 0.2 * volt + sigma * torch.randn_like(volt)
train_v, train_l, test_v, test_l = volt[:900], level[:900], volt[900:], level[900:]

hidden = 24
mean_net = nn.Sequential(nn.Linear(1, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))
logvar_net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
opt_mean = torch.optim.Adam(mean_net.parameters(), lr=5e-3)
opt_var = torch.optim.Adam(logvar_net.parameters(), lr=5e-3)
sched = [torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=120) for o in (opt_mean, opt_var)]


def nll(mu, logvar, target):
    return 0.5 * (logvar + (target - mu) ** 2 * torch.exp(-logvar) + math.log(2 * math.pi)).mean()


for epoch in range(20):
    for idx in torch.randperm(900).split(45):
        fit = ((mean_net(train_v[idx]) - train_l[idx]) ** 2).mean()
        opt_mean.zero_grad()
        fit.backward()
        opt_mean.step()
print(f"mean only: mse {fit.item():.5f}")

for epoch in range(120):
    for idx in torch.randperm(900).split(90):
        v, target = train_v[idx], train_l[idx]
        loss = nll(mean_net(v), logvar_net(v), target)
        opt_mean.zero_grad()
        opt_var.zero_grad()
        loss.backward()
        opt_mean.step()
        opt_var.step()
    for s in sched:
        s.step()
    if epoch % 20 == 19:
        print(f"epoch {epoch + 1}: nll {loss.item():.4f}")

with torch.no_grad():
    mu, logvar = mean_net(test_v), logvar_net(test_v)
    inside = ((test_l - mu).abs() < 1.96 * torch.exp(0.5 * logvar)).double().mean().item()
    print(f"share within 95 % band: {inside:.3f}")
    r2 = 1 - ((mu - test_l) ** 2).sum() / ((test_l - test_l.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
