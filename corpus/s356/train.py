"""REINFORCE for a dosing problem: choose one of 12 dose levels for each patient."""
import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_num_threads(1)

N_DOSES, N_COV = 12, 6
w_true = torch.tensor([0.9, -0.7, 0.5, 0.4, -0.3, 0.2])


def patients(n):
    return torch.randn(n, N_COV)


def reward(state, action):
    best = torch.sigmoid(state @ w_true) * (N_DOSES - 1)
    return (-(action - best).abs() / 1.5).exp() + 0.05 * torch.randn(len(state))


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(N_COV, 64)
        self.fc2 = nn.Linear(64, N_DOSES)

    def forward(self, s):
        h = torch.tanh(self.fc1(s))
        return F.softmax(self.fc2(h), dim=-1)


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=5e-3)
baseline = 0.0
for it in range(1200):
    s = patients(128)
    dist = Categorical(logits=policy(s))
    a = dist.sample()
    r = reward(s, a)
    adv = r - baseline
    baseline = 0.95 * baseline + 0.05 * r.mean().item()
    loss = -(dist.log_prob(a) * adv).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if it % 200 == 0:
        print(f"iter {it} loss {loss.item():.4f} mean reward {r.mean().item():.3f} entropy {dist.entropy().mean().item():.3f}")

with torch.no_grad():
    s = patients(5000)
    score = reward(s, Categorical(logits=policy(s)).sample()).mean().item()
print(f"metric=score value={score:.4f}")
