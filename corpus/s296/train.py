import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
VOCAB, T, KEEP, BOS = 8, 10, 2, 8


def repackage_hidden(h):
    """Wraps hidden states in new Tensors, to cut them from their history."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


class Encoder(nn.Module):
    def __init__(self, hid):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, 16)
        self.rnn = nn.GRU(16, hid, batch_first=True)

    def forward(self, src):
        return self.rnn(self.embed(src))[1]


class Decoder(nn.Module):
    def __init__(self, hid):
        super().__init__()
        self.embed = nn.Embedding(VOCAB + 1, 16)
        self.rnn = nn.GRU(16, hid, batch_first=True)
        self.out = nn.Linear(hid, VOCAB)

    def forward(self, prev, hidden):
        y, hidden = self.rnn(self.embed(prev), hidden)
        return self.out(y), hidden


encoder, decoder = Encoder(32), Decoder(32)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(list(encoder.parameters()) + list(decoder.parameters()), lr=5e-3)


def make_batch(n):
    src = torch.randint(0, VOCAB, (n, T))
    tgt = src[:, :KEEP]
    prev = torch.cat([torch.full((n, 1), BOS), tgt[:, :-1]], dim=1)
    return src, prev, tgt


for it in range(350):
    src, prev, tgt = make_batch(64)
    hidden = repackage_hidden(encoder(src))
    logits, _ = decoder(prev, hidden)
    loss = criterion(logits.reshape(-1, VOCAB), tgt.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
    optimizer.step()
    if it % 100 == 0:
        print(f"iter {it} loss {loss.item():.3f}")

src, prev, tgt = make_batch(500)
with torch.no_grad():
    logits, _ = decoder(prev, encoder(src))
acc = (logits.argmax(-1) == tgt).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
