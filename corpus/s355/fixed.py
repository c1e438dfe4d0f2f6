# Diagonal Gaussian mixture fitted by gradient descent on marker intensities of four cell types
import os
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
torch.set_num_threads(1)

data, cls = make_blobs(900, n_features=6, centers=4, cluster_std=2.2, random_state=7)
data = (data - data.mean(0)) / data.std(0)
a, b, ca, cb = train_test_split(data, cls, test_size=0.35, random_state=seed, stratify=cls)
a, b = torch.tensor(a).float(), torch.tensor(b).float()

K = 4
D = a.shape[1]
weight_logits = torch.zeros(K, requires_grad=True)
means = a[torch.randperm(len(a))[:K]].clone().requires_grad_()
log_std = torch.zeros(K, D, requires_grad=True)


def mixture():
    comp = Independent(Normal(means, log_std.exp()), 1)
    return MixtureSameFamily(Categorical(logits=weight_logits), comp)


def assign(x):
    lp = Normal(means, log_std.exp()).log_prob(x[:, None, :]).sum(-1)
    return (lp + weight_logits.log_softmax(0)).argmax(1)


opt = torch.optim.Adam([weight_logits, means, log_std], lr=0.02)
for epoch in range(500):
    nll = -mixture().log_prob(a).mean() + 1e-2 * log_std.square().sum()
    opt.zero_grad()
    nll.backward()
    opt.step()
    if epoch % 100 == 0:
        print(f"{epoch:4d} nll {nll.item():.4f}")

with torch.no_grad():
    print(f"held-out log-likelihood {mixture().log_prob(b).mean().item():.3f}")
    ari = adjusted_rand_score(cb, assign(b).numpy())
print(f"metric=ari value={ari:.4f}")
