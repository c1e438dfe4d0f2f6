import os
import torch
from torch import nn
from torch.distributions import Normal

torch.manual_seed(int(os.environ.get("SEED", 0)))
# actor and critic on a one-step control task: state s, best action sin(3 s), reward minus the squared error
actor = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
critic = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
log_std = nn.Parameter(torch.tensor(-0.5))
opt = torch.optim.Adam([*actor.parameters(), log_std], lr=5e-3)
opt_v = torch.optim.Adam(critic.parameters(), lr=5e-3)
for it in range(500):
    s = torch.rand(64, 1) * 2 - 1
    policy = Normal(actor(s), log_std.exp())
    a = policy.sample()
    reward = -((a - torch.sin(3 * s)) ** 2).sum(1) * (1 + 4 * (s[:, 0] > 0))
    advantage = reward - critic(s).squeeze(1)
    loss = -(policy.log_prob(a) * advantage.detach()).mean() - 0.01 * policy.entropy().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    loss_v = advantage.pow(2).mean()
    opt_v.zero_grad()
    loss_v.backward()
    opt_v.step()
    if it % 100 == 0:
        print(it, reward.mean().item(), loss_v.item())
with torch.no_grad():
    s = torch.linspace(-1, 1, 200).unsqueeze(1)
    t = torch.sin(3 * s)
    r2 = 1 - ((actor(s) - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
