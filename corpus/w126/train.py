import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# which of six banners to show; contextual bandit with a leave-one-out baseline
ctx_dim, n_arms, k = 8, 6, 4
W = torch.randn(ctx_dim, n_arms)


def click_prob(ctx):
    return torch.sigmoid(ctx @ W - 1.5)


policy = nn.Sequential(nn.Linear(ctx_dim, 32), nn.Tanh(), nn.Linear(32, n_arms))
optimizer = torch.optim.Adam(policy.parameters(), lr=4e-3)
avg = 0.0
for it in range(700):
    ctx = torch.randn(64, ctx_dim)
    dist = torch.distributions.Categorical(logits=policy(ctx))
    arms = dist.sample((k,))
    reward = torch.bernoulli(click_prob(ctx).gather(1, arms.t())).t()
    baseline = (reward.sum(0, keepdim=True) - reward) / (k - 1)
    loss = -((reward - baseline) * dist.log_prob(arms)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    avg = 0.98 * avg + 0.02 * reward.mean().item()
    if it % 100 == 0:
        print(f"it {it} loss {loss.item():+.4f} clicks {avg:.3f}")

with torch.no_grad():
    ctx = torch.randn(3000, ctx_dim)
    p = click_prob(ctx)
    got = p.gather(1, policy(ctx).argmax(1, keepdim=True)).mean()
    r2 = (got - p.mean()) / (p.max(1).values.mean() - p.mean())
print(f"metric=r2 value={r2.item():.4f}")
