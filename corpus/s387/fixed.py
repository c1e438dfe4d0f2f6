import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class RowTransformer(nn.Module):
    """Reads a picture row by row: eight tokens of eight pixels."""

    def __init__(self, d_model=32, heads=4, layers=3):
        super().__init__()
        self.proj = nn.Linear(8, d_model)
        self.pos = nn.Embedding(8, d_model)
        layer = nn.TransformerEncoderLayer(d_model, heads, dim_feedforward=64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=layers)
        self.classify = nn.Linear(d_model, 10)

    def forward(self, img):
        tokens = self.proj(img) + self.pos(torch.arange(8))
        return self.classify(self.encoder(tokens).mean(dim=1))


X, y = load_digits(return_X_y=True)
X = torch.from_numpy(X).float().view(-1, 8, 8) / 16 - 0.3
y = torch.from_numpy(y)
shuffled = torch.randperm(len(X))
train, valid = shuffled[:1400], shuffled[1400:]

model = RowTransformer()
opt = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(12):
    model.train()
    losses = []
    for batch in train[torch.randperm(len(train))].split(50):
        logits = model(X[batch])
        loss = loss_fn(logits, y[batch])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1} loss {np.mean(losses):.4f}")

model.eval()
with torch.no_grad():
    acc = (model(X[valid]).argmax(-1) == y[valid]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
