import math
import os
import torch
from sklearn.metrics import adjusted_rand_score

torch.manual_seed(int(os.environ.get("SEED", "0")))

centers = torch.tensor([[-18.0, 4.0], [2.0, -14.0], [15.0, 17.0]])
which = torch.randint(0, 3, (900,))
data = centers[which] + torch.randn(900, 2) * torch.tensor([1.5, 2.0])

K = 3
mu = torch.tensor([[-5.0, 0.0], [0.0, -5.0], [5.0, 5.0]]) + 0.5 * torch.randn(K, 2)
mu.requires_grad_()
log_sigma = torch.zeros(K, 2, requires_grad=True)
alpha = torch.zeros(K, requires_grad=True)


def component_log_density(x):
    z = (x[:, None, :] - mu) / log_sigma.exp()
    return -0.5 * z.pow(2).sum(-1) - log_sigma.sum(-1) - math.log(2 * math.pi)


def nll(x):
    log_pi = torch.log_softmax(alpha, dim=0)
    log_density = torch.logsumexp(log_pi + component_log_density(x), dim=1)
    return -log_density.mean()


opt = torch.optim.Adam([mu, log_sigma, alpha], lr=0.05)
for step in range(1200):
    opt.zero_grad()
    loss = nll(data)
    loss.backward()
    opt.step()
    if step % 120 == 0:
        print(f"{step:4d} nll {loss.item():.4f}")

with torch.no_grad():
    label = (component_log_density(data) + torch.log_softmax(alpha, 0)).argmax(dim=1)
print(f"metric=ari value={adjusted_rand_score(which.numpy(), label.numpy()):.4f}")
