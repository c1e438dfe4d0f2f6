"""Morse-like signals to letters with CTC: no alignment is given."""

import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
LETTERS, LENGTH = 5, 4
shape = torch.randn(LETTERS + 1, 6)


def record(n):
    words = torch.randint(1, LETTERS + 1, (n, LENGTH))
    frames = []
    for word in words:
        parts = []
        for letter in word.tolist():
            parts += [shape[letter].repeat(int(torch.randint(2, 4, (1,))), 1), torch.zeros(1, 6)]
        one = torch.cat(parts)
        frames.append(torch.cat([one, torch.zeros(16 - len(one), 6)]))
    x = torch.stack(frames)
    return x + 0.3 * torch.randn_like(x), words


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.front = nn.Conv1d(6, 32, 3, padding=1)
        self.mix = nn.Conv1d(32, 32, 3, padding=1)
        self.top = nn.Conv1d(32, LETTERS + 1, 1)

    def forward(self, x):
        h = torch.relu(self.front(x.transpose(1, 2)))
        h = torch.relu(self.mix(h))
        return self.top(h).permute(2, 0, 1).log_softmax(2)


x, words = record(600)
x_test, words_test = record(200)
net, ctc = Listener(), nn.CTCLoss(blank=0)
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
for epoch in range(14):
    for rows in torch.randperm(600).split(30):
        logp = net(x[rows])
        n = len(rows)
        loss = ctc(logp, words[rows], torch.full((n,), 16), torch.full((n,), LENGTH))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 3 == 0:
        print(f"epoch {epoch} ctc {loss.item():.3f}")
with torch.no_grad():
    best = net(x_test).argmax(2).T
right = 0
for path, word in zip(best, words_test):
    squeezed = [a for a, b in zip(path.tolist(), [0] + path.tolist()[:-1]) if a != b and a != 0]
    right += squeezed == word.tolist()
print(f"metric=accuracy value={right / 200:.4f}")
