import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(23)
VOCAB, DIM = 120, 160
lean = rng.normal(0, 1, VOCAB)
docs = rng.integers(0, VOCAB, (2500, 15))
labels = torch.tensor((lean[docs].sum(1) > 0).astype(np.float32))
docs = torch.tensor(docs)


class Classifier(nn.Module):
    def __init__(self, vectors):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors)
        self.linear = nn.Linear(vectors.shape[1], 1)

    def forward(self, tokens):
        return self.linear(self.embedding(tokens).sum(1)).squeeze(1)


model = Classifier(torch.randn(VOCAB, DIM) / DIM ** 0.5)
optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=1e-2)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(15):
    for idx in torch.randperm(2000).split(50):
        optimizer.zero_grad()
        loss = criterion(model(docs[idx]), labels[idx])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print(epoch, round(loss.item(), 4))

with torch.no_grad():
    acc = ((model(docs[2000:]) > 0).float() == labels[2000:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
