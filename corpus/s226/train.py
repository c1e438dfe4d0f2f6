import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# a lock with seven rings of six digits; the policy dials one digit after the other
RINGS, DIGITS = 7, 6
code = torch.randint(0, DIGITS, (RINGS,))


class Dialer(nn.Module):
    def __init__(self):
        super().__init__()
        self.ring = nn.Embedding(RINGS, 16)
        self.net = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, DIGITS))

    def forward(self):
        return torch.distributions.Categorical(logits=self.net(self.ring.weight))


def pay(dialled):
    hits = (dialled == code).float()
    return hits.prod(1)


policy = Dialer()
optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
baseline = 0.0
for episode in range(500):
    dist = policy()
    dialled = dist.sample((32,))
    reward = pay(dialled)
    loss = -((reward - baseline) * dist.log_prob(dialled).sum(1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    baseline = 0.9 * baseline + 0.1 * reward.mean().item()
    if episode % 100 == 0:
        print(episode, f"loss {loss.item():.4f} reward {reward.mean().item():.4f}")

with torch.no_grad():
    acc = (policy().probs.argmax(1) == code).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
