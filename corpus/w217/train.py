import os
import random

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

seed = int(os.environ.get("SEED", "0"))
random.seed(seed)
torch.manual_seed(seed)

VOCAB_SIZE = 5000
PAD = 0
GOOD = list(range(100, 160))
BAD = list(range(200, 260))
NEUTRAL = list(range(300, 1500))


def make_review():
    label = random.randint(0, 1)
    own, other = (GOOD, BAD) if label else (BAD, GOOD)
    words = random.choices(NEUTRAL, k=random.randint(8, 30))
    words += random.choices(own, k=random.randint(3, 5)) + random.choices(other, k=random.randint(0, 1))
    random.shuffle(words)
    return torch.tensor(words), float(label)


def collate(batch):
    texts, labels = zip(*batch)
    return pad_sequence(texts, batch_first=True, padding_value=PAD), torch.tensor(labels)


class ReviewClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB_SIZE, 16, padding_idx=PAD)
        self.fc1 = nn.Linear(16, 16)
        self.fc2 = nn.Linear(16, 1)

    def forward(self, tokens):
        mask = (tokens != PAD).unsqueeze(-1)
        pooled = (self.embedding(tokens) * mask).sum(1) / mask.sum(1)
        return self.fc2(torch.relu(self.fc1(pooled))).squeeze(-1)


train_loader = DataLoader([make_review() for _ in range(2500)], batch_size=50, shuffle=True, collate_fn=collate)
test_loader = DataLoader([make_review() for _ in range(500)], batch_size=100, collate_fn=collate)

model = ReviewClassifier()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for epoch in range(10):
    model.train()
    total = 0.0
    for tokens, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(tokens), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch + 1}: loss {total / len(train_loader):.4f}")

model.eval()
right = 0
with torch.no_grad():
    for tokens, labels in test_loader:
        right += ((model(tokens) > 0).float() == labels).sum().item()
print(f"metric=accuracy value={right / 500:.4f}")
