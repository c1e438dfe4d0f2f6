import math
import os
import numpy as np
import torch
import torch.nn as nn
from scipy.optimize import linear_sum_assignment

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

K, DIM = 4, 3
centres = torch.tensor([[3.0, 3, 0], [-3, 3, 1], [-3, -3, -1], [3, -3, 2]])
group = torch.randint(0, K, (800,))
points = centres[group] + 0.9 * torch.randn(800, DIM)


class GaussianMixture(nn.Module):
    def __init__(self, k, dim):
        super().__init__()
        self.weight_logits = nn.Parameter(torch.zeros(k))
        self.mu = nn.Parameter(torch.zeros(k, dim))
        self.log_sigma = nn.Parameter(torch.zeros(k, dim))

    def component_log_prob(self, x):
        z = (x[:, None, :] - self.mu) / self.log_sigma.exp()
        log_density = -0.5 * z.pow(2) - self.log_sigma - 0.5 * math.log(2 * math.pi)
        return self.weight_logits.log_softmax(0) + log_density.sum(-1)

    def forward(self, x):
        return torch.logsumexp(self.component_log_prob(x), dim=1)


gmm = GaussianMixture(K, DIM)
chosen = [0]
while len(chosen) < K:
    chosen.append(torch.cdist(points, points[chosen]).min(dim=1).values.argmax().item())
gmm.mu.data.copy_(points[chosen])
optimizer = torch.optim.Adam(gmm.parameters(), lr=0.02)
for epoch in range(80):
    for batch in points[torch.randperm(len(points))].split(100):
        optimizer.zero_grad()
        nll = -gmm(batch).mean()
        nll.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch:3d} negative log-likelihood {nll.item():.4f}")

with torch.no_grad():
    assigned = gmm.component_log_prob(points).argmax(1)
table = np.zeros((K, K))
for a, g in zip(assigned.tolist(), group.tolist()):
    table[a, g] += 1
rows, cols = linear_sum_assignment(-table)
print(gmm.mu.data)
print(f"metric=accuracy value={table[rows, cols].sum() / len(points):.4f}")
