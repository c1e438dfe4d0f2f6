import math
import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


class DigitTransformer(nn.Module):
    def __init__(self, d_model=32, nhead=4, layers=4):
        super().__init__()
        self.embed = nn.Linear(8, d_model)
        self.pos = nn.Parameter(torch.randn(8, d_model) * 0.02)
        layer = nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers)
        self.head = nn.Linear(d_model, 10)

    def forward(self, x):
        h = self.embed(x) * math.sqrt(32) + self.pos
        return self.head(self.encoder(h).mean(1))


digits = load_digits()
X = torch.tensor(digits.images / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(12))
X, y = X[perm], y[perm]

model = DigitTransformer()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(8):
    model.train()
    losses = []
    for idx in torch.randperm(1280).split(32):
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(X[idx]), y[idx])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.3f}")

model.eval()
with torch.no_grad():
    acc = (model(X[1280:]).argmax(-1) == y[1280:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
