"""Sentiment of short token sequences: embedding, attention pooling, RMSprop."""

import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
VOCAB, LENGTH = 200, 16
mood = torch.randn(VOCAB)
negation = 7


def reviews(n):
    tokens = torch.randint(0, VOCAB, (n, LENGTH))
    tokens[torch.rand(n) < 0.5, 0] = negation
    total = mood[tokens[:, 1:]].sum(1)
    return tokens, (torch.where(tokens[:, 0] == negation, -total, total) > 0).float()


class Reader(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, d)
        self.place = nn.Parameter(torch.randn(LENGTH, d) * 0.02)
        self.score = nn.Linear(d, 1)
        self.hidden = nn.Linear(2 * d, 64)
        self.out = nn.Linear(64, 1)

    def forward(self, tokens):
        h = self.embed(tokens) + self.place
        pooled = (torch.softmax(self.score(h), dim=1) * h).sum(1)
        return self.out(torch.relu(self.hidden(torch.cat([pooled, h[:, 0]], 1)))).squeeze(1)


x, y = reviews(3000)
x_test, y_test = reviews(600)
net = Reader()
opt = torch.optim.RMSprop(net.parameters(), lr=0.003)
for epoch in range(10):
    for rows in torch.randperm(3000).split(60):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    print(f"metric=accuracy value={((net(x_test) > 0) == (y_test > 0.5)).float().mean().item():.4f}")
