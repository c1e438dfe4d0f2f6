import math
import os
import numpy as np
import torch
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

K, D, N = 3, 12, 900
points, label = make_blobs(N, n_features=D, centers=K, cluster_std=1.5, center_box=(-4, 4), random_state=seed)
X = torch.tensor(points, dtype=torch.float32)
order = torch.randperm(N)
X, label = X[order], label[order.numpy()]

mu = X[torch.randperm(N)[:K]].clone().requires_grad_()
log_sigma = torch.zeros(K, D, requires_grad=True)
alpha = torch.zeros(K, requires_grad=True)


def densities(x):
    sigma = log_sigma.exp()
    z = (x[:, None, :] - mu) / sigma
    norm = (2 * math.pi) ** (D / 2) * sigma.prod(dim=1)
    return torch.exp(-0.5 * (z ** 2).sum(-1)) / norm


def responsibilities(x):
    joint = torch.softmax(alpha, 0) * densities(x)
    return joint / joint.sum(1, keepdim=True)


def negative_log_likelihood(x):
    mixture = (torch.softmax(alpha, 0) * densities(x)).sum(1)
    return -torch.log(mixture).mean()


optimizer = torch.optim.Adam([mu, log_sigma, alpha], lr=0.03)
for it in range(1500):
    optimizer.zero_grad()
    nll = negative_log_likelihood(X)
    nll.backward()
    optimizer.step()
    if it % 150 == 0:
        print(f"iter {it:4d}  nll {nll.item():.4f}  weights {torch.softmax(alpha, 0).tolist()}")

with torch.no_grad():
    cluster = responsibilities(X).argmax(1).numpy()
print(f"metric=ari value={adjusted_rand_score(label, cluster):.4f}")
