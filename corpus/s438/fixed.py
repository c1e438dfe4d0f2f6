import math
import os
import torch
import torch.nn as nn
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

X, labels = make_blobs(800, centers=[[-4, 0], [4, 1], [0, 6], [0, -5]], cluster_std=[0.8, 1.0, 0.7, 0.9], random_state=seed)
X = torch.tensor(X, dtype=torch.float32)


class GaussianMixture(nn.Module):
    """Diagonal mixture, fitted by gradient descent on the negative log likelihood."""

    def __init__(self, k, X):
        super().__init__()
        self.mu = nn.Parameter(X[torch.randperm(len(X))[:k]])
        self.log_sigma = nn.Parameter(X.std(0).log().repeat(k, 1))
        self.pi = nn.Parameter(torch.zeros(k))

    def joint(self, x):
        z = (x[:, None, :] - self.mu) * torch.exp(-self.log_sigma)
        log_n = -0.5 * (z ** 2 + math.log(2 * math.pi)).sum(-1) - self.log_sigma.sum(-1)
        return log_n + torch.log_softmax(self.pi, 0)

    def forward(self, x):
        return -torch.logsumexp(self.joint(x), dim=1).mean()


gmm = GaussianMixture(4, X)
opt = torch.optim.Adam(gmm.parameters(), lr=0.05)
for epoch in range(60):
    for batch in torch.randperm(len(X)).split(80):
        opt.zero_grad()
        nll = gmm(X[batch])
        nll.backward()
        opt.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch:3d}  nll {nll.item():.4f}")

with torch.no_grad():
    assigned = gmm.joint(X).argmax(1)
print("means", gmm.mu.data.tolist())
print(f"metric=ari value={adjusted_rand_score(labels, assigned.numpy()):.4f}")
