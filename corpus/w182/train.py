import os
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence

torch.manual_seed(int(os.environ.get("SEED", "0")))

vocab_size = 2000
topics = [torch.arange(10 + 40 * k, 50 + 40 * k) for k in range(4)]
common = torch.arange(200, 260)


def make_texts(n):
    lengths = torch.randint(5, 15, (n,))
    ids = torch.zeros(n, 14, dtype=torch.long)
    label = torch.randint(0, 4, (n,))
    for i in range(n):
        for j in range(int(lengths[i])):
            pool = topics[label[i]] if torch.rand(1) < 0.5 else common
            ids[i, j] = pool[torch.randint(0, len(pool), (1,))]
    return ids, lengths, label


class TextGRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 24, padding_idx=0)
        self.gru = nn.GRU(24, 32, batch_first=True, bidirectional=True)
        self.out = nn.Linear(64, 4)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        _, h = self.gru(packed)
        return self.out(torch.cat([h[0], h[1]], dim=1))


train, test = make_texts(1000), make_texts(400)
model = TextGRU()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(8):
    model.train()
    for idx in torch.randperm(1000).split(32):
        ids, lengths, label = (t[idx] for t in train)
        optimizer.zero_grad()
        loss = criterion(model(ids, lengths), label)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")

model.eval()
with torch.no_grad():
    acc = (model(test[0], test[1]).argmax(1) == test[2]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
