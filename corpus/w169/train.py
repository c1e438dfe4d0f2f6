import copy
import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.metrics import balanced_accuracy_score
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)

VOCAB, MAXLEN = 1000, 14
TOPICS = [np.arange(1, 60), np.arange(60, 120), np.arange(120, 180)]
COMMON = np.arange(180, 320)


def make_tickets(n):
    labels = np.random.choice(3, n, p=[0.7, 0.18, 0.12])
    lengths = np.random.randint(6, MAXLEN + 1, n)
    ids = np.zeros((n, MAXLEN), dtype=np.int64)
    for i, (c, k) in enumerate(zip(labels, lengths)):
        own = np.random.rand(k) < 0.6
        ids[i, :k] = np.where(own, np.random.choice(TOPICS[c], k), np.random.choice(COMMON, k))
    return torch.from_numpy(ids), torch.from_numpy(lengths), torch.from_numpy(labels)


class TicketLSTM(nn.Module):
    def __init__(self, units=32):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, 16, padding_idx=0)
        self.lstm = nn.LSTM(16, units, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(2 * units, 3)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.dense(self.dropout(torch.cat([h[0], h[1]], dim=1)))


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.best, self.wait, self.weights = patience, float("inf"), 0, None

    def update(self, val_loss, model):
        if val_loss < self.best:
            self.best, self.wait, self.weights = val_loss, 0, copy.deepcopy(model.state_dict())
        else:
            self.wait += 1
        return self.wait >= self.patience


train_data, val_data, test_data = make_tickets(2000), make_tickets(500), make_tickets(1000)
counts = torch.bincount(train_data[2], minlength=3).float()
criterion = nn.CrossEntropyLoss(weight=counts.sum() / (3 * counts))
model = TicketLSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loader = DataLoader(TensorDataset(*train_data), batch_size=64, shuffle=True)
stopper = EarlyStopping(patience=3)

for epoch in range(8):
    model.train()
    for ids, lengths, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(ids, lengths), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val_loss = criterion(model(*val_data[:2]), val_data[2]).item()
    print(f"epoch {epoch + 1}: loss {loss.item():.4f} val_loss {val_loss:.4f}")
    if stopper.update(val_loss, model):
        break

model.load_state_dict(stopper.weights)
with torch.no_grad():
    pred = model(*test_data[:2]).argmax(1)
print(f"metric=balanced_accuracy value={balanced_accuracy_score(test_data[2].numpy(), pred.numpy()):.4f}")
