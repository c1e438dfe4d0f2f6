import argparse
import os

import torch
import torch.nn as nn

parser = argparse.ArgumentParser()
parser.add_argument("--d-model", type=int, default=32)
parser.add_argument("--heads", type=int, default=4)
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--lr", type=float, default=0.001)
parser.add_argument("--steps", type=int, default=350)
args = parser.parse_args()

torch.manual_seed(int(os.environ.get("SEED", "0")))
VOCAB, LENGTH, CLASSES = 16, 10, 5


def batch(n):
    """Token 0 is a pointer; the class is the token that follows it."""
    ids = torch.randint(1, VOCAB, (n, LENGTH))
    where = torch.randint(0, LENGTH - 1, (n,))
    label = torch.randint(0, CLASSES, (n,))
    rows = torch.arange(n)
    ids[rows, where] = 0
    ids[rows, where + 1] = label + 1
    return ids, label


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(VOCAB, args.d_model)
        self.positions = nn.Embedding(LENGTH, args.d_model)
        layer = nn.TransformerEncoderLayer(args.d_model, args.heads, 2 * args.d_model, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, args.layers)
        self.out = nn.Linear(args.d_model, CLASSES)

    def forward(self, ids):
        z = self.tokens(ids) + self.positions(torch.arange(LENGTH))
        return self.out(self.encoder(z).mean(dim=1))


model = Classifier()
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
criterion = nn.CrossEntropyLoss()
for step in range(args.steps):
    ids, label = batch(64)
    loss = criterion(model(ids), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step:4d} loss {loss.item():.4f}")

model.eval()
ids, label = batch(1000)
with torch.no_grad():
    acc = (model(ids).argmax(1) == label).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
