import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
arms = 8
pay = torch.linspace(0.1, 0.9, arms)[torch.randperm(arms)]
logits = torch.zeros(arms, requires_grad=True)
opt = torch.optim.SGD([logits], lr=0.4)
baseline = 0.0
for step in range(1500):
    policy = torch.distributions.Categorical(logits=logits)
    a = policy.sample((4,))
    r = torch.bernoulli(pay[a])
    loss = -(policy.log_prob(a) * (r - baseline)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    baseline += 0.05 * (r.mean().item() - baseline)
    if step % 300 == 0:
        print(step, loss.item(), baseline)
expected = (logits.softmax(0) * pay).sum().item()
print(f"metric=reward value={expected:.4f}")
