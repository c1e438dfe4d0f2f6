import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
np.random.seed(seed)

# short messages over a vocabulary of 300 words; each word leans to one side a little
rng = np.random.default_rng(17)
VOCAB, DIM = 300, 6
lean = rng.normal(0, 1, VOCAB)
docs = rng.integers(0, VOCAB, (2500, 15))
labels = (lean[docs].sum(1) > 0).astype(np.int64)
docs, labels = torch.tensor(docs), torch.tensor(labels)

pretrained = torch.randn(VOCAB, DIM) * 0.5


class MessageClassifier(nn.Module):
    def __init__(self, vectors, hidden=16):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors)
        self.fc1 = nn.Linear(vectors.shape[1], hidden)
        self.fc2 = nn.Linear(hidden, 2)

    def forward(self, tokens):
        h = self.embedding(tokens).mean(1)
        return self.fc2(torch.relu(self.fc1(h)))


model = MessageClassifier(pretrained)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(20):
    for idx in torch.randperm(2000).split(50):
        optimizer.zero_grad()
        loss = criterion(model(docs[idx]), labels[idx])
        loss.backward()
        optimizer.step()
    if epoch % 4 == 0:
        print("epoch", epoch, "loss", round(loss.item(), 4))

with torch.no_grad():
    acc = (model(docs[2000:]).argmax(1) == labels[2000:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
