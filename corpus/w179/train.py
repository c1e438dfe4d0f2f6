import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

# skip-gram with negative sampling on a toy corpus of topical sentences
VOCAB, TOPICS, USED, DIM = 600, 8, 400, 16
topic_of = rng.permutation(np.arange(USED) % TOPICS)
words_in = [np.flatnonzero(topic_of == k) for k in range(TOPICS)]


def sentence(length=10):
    k = rng.integers(TOPICS)
    own = rng.choice(words_in[k], length)
    other = rng.integers(0, USED, length)
    return np.where(rng.random(length) < 0.8, own, other)


corpus = np.stack([sentence() for _ in range(2500)])
centre, context = [], []
for offset in (1, 2):
    centre += [corpus[:, offset:].ravel(), corpus[:, :-offset].ravel()]
    context += [corpus[:, :-offset].ravel(), corpus[:, offset:].ravel()]
centre, context = torch.tensor(np.concatenate(centre)), torch.tensor(np.concatenate(context))
counts = torch.bincount(centre, minlength=VOCAB).float() ** 0.75


class SkipGram(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Embedding(VOCAB, DIM, sparse=True)
        self.out = nn.Embedding(VOCAB, DIM, sparse=True)
        nn.init.uniform_(self.inp.weight, -0.5, 0.5)
        nn.init.zeros_(self.out.weight)

    def forward(self, c, o, neg):
        v = self.inp(c)
        pos = (v * self.out(o)).sum(1)
        bad = torch.bmm(self.out(neg), v.unsqueeze(2)).squeeze(2)
        return -(F.logsigmoid(pos) + F.logsigmoid(-bad).sum(1)).mean()


model = SkipGram()
optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.01)
for epoch in range(4):
    running = 0.0
    batches = torch.randperm(len(centre)).split(256)
    for rows in batches:
        neg = torch.multinomial(counts, len(rows) * 4, replacement=True).view(-1, 4)
        loss = model(centre[rows], context[rows], neg)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch + 1}: loss {running / len(batches):.4f}")

with torch.no_grad():
    e = F.normalize(model.inp.weight[:USED], dim=1)
    similarity = e @ e.T
    similarity.fill_diagonal_(-2.0)
    nearest = similarity.topk(5, dim=1).indices
    topic = torch.tensor(topic_of)
    precision = (topic[nearest] == topic[:, None]).float().mean().item()
print(f"metric=precision_at_5 value={precision:.4f}")
