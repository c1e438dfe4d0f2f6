import os

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", "0")))

SYMBOLS, LENGTH, SOS = 8, 4, 8


class EncoderRNN(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, 16)
        self.gru = nn.GRU(16, hidden, batch_first=True)

    def forward(self, src):
        _, state = self.gru(self.embedding(src))
        return state


class DecoderRNN(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS + 1, 16)
        self.gru = nn.GRU(16, hidden, batch_first=True)
        self.out = nn.Linear(hidden, SYMBOLS)

    def forward(self, tokens, state):
        h, state = self.gru(self.embedding(tokens), state)
        return self.out(h), state


def batch(n):
    src = torch.randint(0, SYMBOLS, (n, LENGTH))
    return src, src.flip(1)


def train_step(src, tgt, encoder, decoder, encoder_optimizer, decoder_optimizer):
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    start = torch.full((len(src), 1), SOS)
    teacher = torch.cat([start, tgt[:, :-1]], dim=1)
    logits, _ = decoder(teacher, encoder(src))
    loss = F.cross_entropy(logits.reshape(-1, SYMBOLS), tgt.reshape(-1))
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    return loss.item()


@torch.no_grad()
def translate(src, encoder, decoder):
    state, token, out = encoder(src), torch.full((len(src), 1), SOS), []
    for _ in range(LENGTH):
        logits, state = decoder(token, state)
        token = logits.argmax(-1)
        out.append(token)
    return torch.cat(out, dim=1)


encoder, decoder = EncoderRNN(48), DecoderRNN(48)
encoder_optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1, momentum=0.9)
decoder_optimizer = torch.optim.SGD(decoder.parameters(), lr=0.1, momentum=0.9)

running = 0.0
for it in range(1, 601):
    running += train_step(*batch(64), encoder, decoder, encoder_optimizer, decoder_optimizer)
    if it % 100 == 0:
        print(f"{it} {running / 100:.4f}")
        running = 0.0

src, tgt = batch(1000)
acc = (translate(src, encoder, decoder) == tgt).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
