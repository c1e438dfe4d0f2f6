"""Clicks: who clicks on an advert? One impression in ten is clicked, mostly by chance."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
USERS, ADS, N = 300, 40, 12000
user_taste, ad_taste = torch.randn(USERS) * 0.5, torch.randn(ADS) * 0.5
user, ad = torch.randint(0, USERS, (N,)), torch.randint(0, ADS, (N,))
true_logit = -2.4 + user_taste[user] + ad_taste[ad]
click = torch.bernoulli(torch.sigmoid(true_logit))


class Factor(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(USERS, 1)
        self.ad = nn.Embedding(ADS, 1)
        self.bias = nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.user.weight)
        nn.init.zeros_(self.ad.weight)

    def forward(self, u, a):
        return self.bias + self.user(u)[:, 0] + self.ad(a)[:, 0]


model = Factor()
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
for epoch in range(6):
    total = 0.0
    for rows in torch.randperm(10000).split(100):
        optimizer.zero_grad()
        p = torch.sigmoid(model(user[rows], ad[rows]))
        loss = nn.functional.binary_cross_entropy(p, click[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() / 100
    print(epoch, round(total, 4))
with torch.no_grad():
    guess = model(user[10000:], ad[10000:])
print(f"metric=correlation value={torch.corrcoef(torch.stack([guess, true_logit[10000:]]))[0, 1].item():.4f}")
