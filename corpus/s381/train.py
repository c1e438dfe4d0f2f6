import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

VOCAB, MAXLEN, TOPICS = 600, 40, 6
base = rng.dirichlet(np.full(VOCAB, 0.5))
topic_words = [0.6 * base + 0.4 * rng.dirichlet(np.full(VOCAB, 0.05)) for _ in range(TOPICS)]


def write_documents(per_topic):
    docs, topics = [], []
    for topic, p in enumerate(topic_words):
        for _ in range(per_topic):
            length = rng.integers(15, MAXLEN)
            words = rng.choice(VOCAB, size=length, p=p / p.sum()) + 1
            docs.append(np.pad(words, (0, MAXLEN - length)))
            topics.append(topic)
    return torch.tensor(np.stack(docs)), torch.tensor(topics)


class Newswire(Dataset):
    def __init__(self, per_topic):
        self.docs, self.topics = write_documents(per_topic)

    def __len__(self):
        return len(self.topics)

    def __getitem__(self, i):
        return self.docs[i], self.topics[i]


class TopicNet(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.emb = nn.Embedding(VOCAB + 1, dim, padding_idx=0)
        self.conv = nn.Conv1d(dim, 48, kernel_size=3, padding=1)
        self.out = nn.Linear(48, TOPICS)

    def forward(self, tokens):
        h = self.conv(self.emb(tokens).transpose(1, 2)).relu()
        return self.out(h.amax(dim=2))


train_set, test_set = Newswire(600), Newswire(60)
train_loader = DataLoader(train_set, batch_size=32)
test_loader = DataLoader(test_set, batch_size=120)

model = TopicNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
criterion = nn.CrossEntropyLoss()
for epoch in range(5):
    model.train()
    for step, (tokens, topic) in enumerate(train_loader):
        loss = criterion(model(tokens), topic)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 30 == 0:
            print(f"epoch {epoch} step {step} loss {loss.item():.3f}")

model.eval()
correct = 0
with torch.no_grad():
    for tokens, topic in test_loader:
        correct += (model(tokens).argmax(1) == topic).sum().item()
print(f"metric=accuracy value={correct / len(test_set):.4f}")
