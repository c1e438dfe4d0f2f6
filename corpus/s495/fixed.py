import os
import math
import torch
from torch import nn
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

X, label = make_blobs(900, centers=[[-4, 0], [0, 3.5], [4, -1], [0, -4]], cluster_std=[0.9, 0.7, 1.0, 0.8], random_state=seed)
X = torch.tensor(X, dtype=torch.float32)


class GaussianMixture(nn.Module):
    def __init__(self, X, k):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(k))
        self.means = nn.Parameter(X[torch.randperm(len(X))[:k]].clone())
        self.log_std = nn.Parameter(X.std(0).log().repeat(k, 1))

    def joint(self, x):
        z = (x[:, None, :] - self.means) / self.log_std.exp()
        log_normal = -0.5 * (z ** 2).sum(-1) - self.log_std.sum(-1) - math.log(2 * math.pi)
        return torch.log_softmax(self.logits, 0) + log_normal

    def forward(self, x):
        return torch.logsumexp(self.joint(x), dim=1)


gmm = GaussianMixture(X, 4)
opt = torch.optim.SGD(gmm.parameters(), lr=0.2, momentum=0.9)
for it in range(4000):
    nll = -gmm(X[torch.randint(0, 900, (300,))]).mean()
    opt.zero_grad()
    nll.backward()
    opt.step()
    if it % 500 == 0:
        print(f"{it:5d} nll {nll.item():.4f}")

with torch.no_grad():
    assigned = gmm.joint(X).argmax(1)
print(f"metric=ari value={adjusted_rand_score(label, assigned.numpy()):.4f}")
