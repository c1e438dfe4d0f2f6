import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

K, D, N = 5, 2, 1000
true_means = 4.0 * torch.tensor([[1.0, 0.0], [0.3, 0.95], [-0.8, 0.6], [-0.8, -0.6], [0.3, -0.95]])
labels = torch.randint(0, K, (N,))
data = true_means[labels] + 0.7 * torch.randn(N, D)

means = data.mean(0).repeat(K, 1).requires_grad_()
log_sigma = torch.full((K,), float(data.std().log()), requires_grad=True)
logits = torch.zeros(K, requires_grad=True)
params = [means, log_sigma, logits]
opt = torch.optim.Adam(params, lr=0.05)


def log_joint(x):
    d2 = (x[:, None, :] - means).pow(2).sum(-1)
    log_p = -0.5 * d2 / log_sigma.exp() ** 2 - D * log_sigma
    return log_p + torch.log_softmax(logits, 0)


for it in range(600):
    loss = -torch.logsumexp(log_joint(data), 1).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 150 == 0:
        print(f"iteration {it} negative log-likelihood {loss.item():.4f}")

with torch.no_grad():
    assigned = log_joint(data).argmax(1)
    # purity
    hits = sum((labels[assigned == k].bincount(minlength=K).max().item() if (assigned == k).any() else 0) for k in range(K))
print(f"metric=accuracy value={hits / N:.4f}")
