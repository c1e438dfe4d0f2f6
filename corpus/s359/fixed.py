# skip-gram with negative sampling on sentences from a small topic grammar
import os
import random
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)
torch.set_num_threads(1)

TOPICS, PER_TOPIC, COMMON = 10, 20, 30
V = TOPICS * PER_TOPIC + COMMON
sentences = []
for _ in range(2500):
    t = random.randrange(TOPICS)
    words = []
    for _ in range(12):
        if random.random() < 0.3:
            words.append(TOPICS * PER_TOPIC + random.randrange(COMMON))
        else:
            words.append(t * PER_TOPIC + random.randrange(PER_TOPIC))
    sentences.append(words)

pairs = [(s[i], s[j]) for s in sentences for i in range(len(s)) for j in range(max(0, i - 2), min(len(s), i + 3)) if i != j]
pairs = torch.tensor(pairs)
freq = torch.bincount(pairs[:, 0], minlength=V).float() ** 0.75


class SkipGram(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.center = nn.Embedding(vocab, dim)
        self.context = nn.Embedding(vocab, dim)
        nn.init.uniform_(self.center.weight, -0.5 / dim, 0.5 / dim)
        nn.init.uniform_(self.context.weight, -0.5 / dim, 0.5 / dim)

    def forward(self, c, o, neg):
        v = self.center(c)
        pos = (v * self.context(o)).sum(-1)
        negs = torch.einsum("bd,bkd->bk", v, self.context(neg))
        return -(F.logsigmoid(pos) + F.logsigmoid(-negs).sum(-1)).mean()


K, BATCH = 5, 512
model = SkipGram(V, 32)
opt = torch.optim.SGD(model.parameters(), lr=25.0)
for epoch in range(4):
    perm = torch.randperm(len(pairs))
    tot, cnt = 0.0, 0
    for idx in perm.split(BATCH):
        c, o = pairs[idx].T
        neg = torch.multinomial(freq, len(idx) * K, replacement=True).view(-1, K)
        loss = model(c, o, neg)
        opt.zero_grad()
        loss.backward()
        opt.step()
        tot, cnt = tot + loss.item(), cnt + 1
    print(f"epoch {epoch} loss {tot / cnt:.4f}")

with torch.no_grad():
    n = TOPICS * PER_TOPIC
    e = F.normalize(model.center.weight[:n], dim=1)
    sim = e @ e.T
    sim.fill_diagonal_(-2)
    label = torch.arange(n) // PER_TOPIC
    hits = (label[sim.topk(5, dim=1).indices] == label[:, None]).float().mean().item()
print(f"metric=precision_at_5 value={hits:.4f}")
