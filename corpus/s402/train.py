import math
import os
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

torch.manual_seed(int(os.environ.get("SEED", "0")))

BASE_LR, WARMUP, EPOCHS, BATCH = 3e-3, 40, 12, 32


def brackets(n, lo=6, hi=16):
    """Sequences over ( ) x; the label says which of ( and ) occurs more often (or neither)."""
    seqs, labels = [], []
    for _ in range(n):
        s = torch.randint(1, 4, (int(torch.randint(lo, hi, (1,))),))
        diff = int((s == 1).sum() - (s == 2).sum())
        labels.append(0 if diff < 0 else 1 if diff == 0 else 2)
        seqs.append(s)
    return seqs, torch.tensor(labels)


class Counter(nn.Module):
    def __init__(self, vocab=4, emb=8, hidden=32):
        super().__init__()
        self.emb = nn.Embedding(vocab, emb, padding_idx=0)
        self.gru = nn.GRU(emb, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 3)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.emb(ids), lengths, batch_first=True, enforce_sorted=False)
        _, h = self.gru(packed)
        return self.out(h[-1])


def collate(seqs, idx):
    chosen = [seqs[i] for i in idx]
    return pad_sequence(chosen, batch_first=True), torch.tensor([len(s) for s in chosen])


train_x, train_y = brackets(1500)
test_x, test_y = brackets(500)
model = Counter()
total_steps = EPOCHS * math.ceil(len(train_x) / BATCH)


def warmup_cosine(step):
    if step < WARMUP:
        return BASE_LR * (step + 1) / WARMUP
    progress = (step - WARMUP) / (total_steps - WARMUP)
    return BASE_LR * 0.5 * (1 + math.cos(math.pi * progress))


optimizer = torch.optim.AdamW(model.parameters(), lr=BASE_LR)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=warmup_cosine)
criterion = nn.CrossEntropyLoss()
for epoch in range(EPOCHS):
    total = 0.0
    for idx in torch.randperm(len(train_x)).split(BATCH):
        ids, lengths = collate(train_x, idx.tolist())
        loss = criterion(model(ids, lengths), train_y[idx])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        total += loss.item() * len(idx)
    print(f"epoch {epoch:2d} loss {total / len(train_x):.4f}")

with torch.no_grad():
    ids, lengths = collate(test_x, range(len(test_x)))
    acc = (model(ids, lengths).argmax(1) == test_y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
