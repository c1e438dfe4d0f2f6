"""Next-character prediction on a short English text (from the standard library)."""

import codecs
import contextlib
import io
import os

import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
with contextlib.redirect_stdout(io.StringIO()):
    import this
text = codecs.decode(this.s, "rot13").lower()
letters = sorted(set(text))
codes = torch.tensor([letters.index(c) for c in text])
V, T, B = len(letters), 32, 16


class CharModel(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.emb = nn.Embedding(V, 24)
        self.lstm = nn.LSTM(24, d, batch_first=True)
        self.head = nn.Linear(d, V)

    def forward(self, x, state=None):
        h, state = self.lstm(self.emb(x), state)
        return self.head(h), state


model = CharModel()
optimizer = torch.optim.Adamax(model.parameters(), lr=0.01)
for step in range(160):
    at = torch.randint(0, len(codes) - T - 1, (B,))
    window = codes[at.unsqueeze(1) + torch.arange(T + 1)]
    logits, _ = model(window[:, :-1])
    loss = nn.functional.cross_entropy(logits.reshape(-1, V), window[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if step % 40 == 39:
        print(f"step {step + 1} nats a letter {loss.item():.3f}")

model.eval()
with torch.no_grad():
    out, _ = model(codes[:-1].unsqueeze(0))
    accuracy = (out[0].argmax(1) == codes[1:]).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
