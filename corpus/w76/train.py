"""Fraud: one case in a hundred. Plain cross entropy, bias set to the log odds of the prior."""

import math
import os

import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
N = 12000
x = torch.randn(N, 6)
risk = 3.5 * (x[:, 0] * x[:, 1] > 1.2).float() + 3.5 * (x[:, 2] > 1.3).float()
fraud = torch.bernoulli(torch.sigmoid(risk - 6.3))
print("share", fraud.mean().item())
tr, te = slice(0, 9000), slice(9000, None)


class Detector(nn.Module):
    def __init__(self, prior):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 32), nn.ReLU6(), nn.Linear(32, 32), nn.ReLU6())
        self.logit = nn.Linear(32, 1)
        nn.init.constant_(self.logit.bias, math.log(prior / (1 - prior)))

    def forward(self, v):
        return self.logit(self.trunk(v))[:, 0]


net = Detector(0.01)
opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
for epoch in range(12):
    for rows in torch.randperm(9000).split(250):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x[tr][rows]), fraud[tr][rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    score = net(x[te])
pos, neg = score[fraud[te] == 1], score[fraud[te] == 0]
auc = (pos.unsqueeze(1) > neg).float().mean().item()
print(f"metric=auc value={auc:.4f}")
