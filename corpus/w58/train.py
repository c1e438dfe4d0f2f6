import os
import torch
import torch.nn as nn
from torch.distributions import MixtureSameFamily, Categorical, Normal

torch.manual_seed(int(os.environ.get("SEED", 0)))
# fit a mixture by maximising the log-likelihood
true_mean, true_std = torch.tensor([-3.0, 0.0, 4.0]), torch.tensor([0.5, 1.0, 0.7])
k = torch.randint(0, 3, (2000,))
data = true_mean[k] + true_std[k] * torch.randn(2000)
held = true_mean[k] + true_std[k] * torch.randn(2000)

logits = torch.zeros(3, requires_grad=True)
mean = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
log_std = torch.zeros(3, requires_grad=True)
opt = torch.optim.Adam([logits, mean, log_std], lr=0.03, maximize=True)


def log_likelihood(x):
    return MixtureSameFamily(Categorical(logits=logits), Normal(mean, log_std.exp())).log_prob(x).sum()


for step in range(600):
    batch = data[torch.randint(2000, (256,))]
    objective = log_likelihood(batch)
    opt.zero_grad()
    objective.backward()
    opt.step()
    if step % 100 == 0:
        print(step, objective.item())
with torch.no_grad():
    gain = log_likelihood(held) / 2000 - Normal(held.mean(), held.std()).log_prob(held).mean()
print(f"metric=nats value={gain.item():.4f}")
