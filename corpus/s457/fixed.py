import math
import os

import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

VOCAB, T = 20, 16


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len=64):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, d_model)
        pe[:, 0::2] = torch.sin(position * div)
        pe[:, 1::2] = torch.cos(position * div)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return x + self.pe[: x.size(1)]


class TextClassifier(nn.Module):
    def __init__(self, d_model=32, nhead=4, classes=5):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, d_model)
        self.pos = PositionalEncoding(d_model)
        layer = nn.TransformerEncoderLayer(d_model, nhead, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.fc = nn.Linear(d_model, classes)
        self.scale = math.sqrt(d_model)

    def forward(self, tokens):
        h = self.encoder(self.pos(self.embed(tokens) * self.scale))
        return self.fc(h.mean(dim=1))


def make(n, gen):
    tokens = torch.randint(0, VOCAB, (n, T), generator=gen)
    topic = torch.randint(0, 5, (n,), generator=gen)
    for k in range(n):
        where = torch.randperm(T, generator=gen)[:6]
        tokens[k, where] = topic[k] * 4 + torch.randint(0, 4, (6,), generator=gen)
    return tokens, topic


gen = torch.Generator().manual_seed(2)
train_x, train_y = make(1600, gen)
test_x, test_y = make(600, gen)

model = TextClassifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

for epoch in range(6):
    model.train()
    losses = []
    for idx in torch.randperm(len(train_x)).split(50):
        optimizer.zero_grad()
        loss = criterion(model(train_x[idx]), train_y[idx])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.4f}")

model.eval()
with torch.no_grad():
    acc = (model(test_x).argmax(1) == test_y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
