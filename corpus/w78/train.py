"""Topic of a bag of words: EmbeddingBag with sparse gradients and its own optimizer."""

import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
WORDS, TOPICS, LENGTH = 5000, 5, 25
zipf = 1.0 / torch.arange(1, WORDS + 1).float()
topical = zipf * torch.exp(1.5 * torch.randn(TOPICS, WORDS))


def documents(n):
    topic = torch.randint(0, TOPICS, (n,))
    return torch.multinomial(topical[topic], LENGTH, replacement=True), topic


words, topics = documents(2000)
new_words, new_topics = documents(500)


class Topic(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(WORDS, 16, mode="mean", sparse=True)
        self.fc = nn.Linear(16, TOPICS)

    def forward(self, w):
        return self.fc(self.bag(w))


model = Topic()
sparse = torch.optim.SparseAdam(list(model.bag.parameters()), lr=0.02)
dense = torch.optim.SGD(model.fc.parameters(), lr=0.2)
for epoch in range(8):
    for rows in torch.randperm(2000).split(25):
        sparse.zero_grad()
        dense.zero_grad()
        loss = nn.functional.cross_entropy(model(words[rows]), topics[rows])
        loss.backward()
        sparse.step()
        dense.step()
    print(epoch, round(loss.item(), 3))
with torch.no_grad():
    print(f"metric=accuracy value={(model(new_words).argmax(1) == new_topics).float().mean().item():.4f}")
