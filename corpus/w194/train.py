import os
import random
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

SEED = int(os.environ.get("SEED", "0"))
random.seed(SEED)
torch.manual_seed(SEED)

POSITIVE = "great lovely fresh quick friendly tasty".split()
NEGATIVE = "awful cold slow rude stale bland".split()
FILLER = ["w%d" % i for i in range(300)]
vocab = {w: i + 2 for i, w in enumerate(POSITIVE + NEGATIVE + ["not"] + FILLER)}
PAD, UNK = 0, 1


def review():
    label = random.randint(0, 1)
    words = [random.choice(FILLER[:60] if random.random() < 0.9 else FILLER) for _ in range(random.randint(3, 20))]
    for _ in range(random.randint(1, 3)):
        at = random.randint(0, len(words))
        if random.random() < 0.25:
            words[at:at] = ["not", random.choice(NEGATIVE if label else POSITIVE)]
        else:
            words[at:at] = [random.choice(POSITIVE if label else NEGATIVE)]
    return torch.tensor([vocab.get(w, UNK) for w in words]), label


def collate(rows):
    ids = pad_sequence([r[0] for r in rows], batch_first=True, padding_value=PAD)
    lengths = torch.tensor([len(r[0]) for r in rows])
    return ids, lengths, torch.tensor([r[1] for r in rows], dtype=torch.float32)


class Sentiment(nn.Module):
    def __init__(self, n_words, emb=32, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(n_words, emb, padding_idx=PAD)
        self.lstm = nn.LSTM(emb, hidden, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(2 * hidden, 1)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.out(self.drop(torch.cat([h[0], h[1]], dim=1))).squeeze(1)


train_rows = [review() for _ in range(1200)]
test_rows = [review() for _ in range(400)]
model = Sentiment(2000)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

for epoch in range(7):
    model.train()
    random.shuffle(train_rows)
    total = 0.0
    for i in range(0, len(train_rows), 32):
        ids, lengths, y = collate(train_rows[i:i + 32])
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(ids, lengths), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch + 1} loss {total / (len(train_rows) / 32):.4f}")

model.eval()
with torch.no_grad():
    ids, lengths, y = collate(test_rows)
    acc = ((model(ids, lengths) > 0).float() == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
