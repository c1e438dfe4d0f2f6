import os
import numpy as np
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(8)

GOOD, BAD = range(2, 8), range(8, 14)
reviews, stars = [], []
for _ in range(1000):
    n = int(np.clip(rng.lognormal(2.2, 0.6), 4, 150))
    label = int(rng.integers(2))
    words = rng.integers(14, 60, n)
    spots = rng.choice(n, max(1, n // 4), replace=False)
    words[spots] = rng.choice(GOOD if label else BAD, len(spots))
    reviews.append(torch.tensor(words))
    stars.append(label)
stars = torch.tensor(stars)
lengths = torch.tensor([len(r) for r in reviews])
padded = pad_sequence(reviews + [torch.zeros(150, dtype=torch.long)], batch_first=True)[:-1]


class SentimentLSTM(nn.Module):
    def __init__(self, vocab=60, dim=16, hidden=24):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim, padding_idx=0)
        self.lstm = nn.LSTM(dim, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 2)

    def forward(self, tokens, lengths):
        out, _ = self.lstm(self.embedding(tokens))
        return self.fc(out[:, -1])


model = SentimentLSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(6):
    correct = 0
    for idx in torch.randperm(800).split(32):
        optimizer.zero_grad()
        logits = model(padded[idx], lengths[idx])
        loss = criterion(logits, stars[idx])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        correct += (logits.argmax(1) == stars[idx]).sum().item()
    print(f"epoch {epoch}: loss {loss.item():.3f} train acc {correct / 800:.3f}")

with torch.no_grad():
    acc = (model(padded[800:], lengths[800:]).argmax(1) == stars[800:]).float().mean()
print(f"metric=accuracy value={acc.item():.4f}")
