import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
digits = load_digits()
X = torch.tensor(digits.images / 16.0, dtype=torch.float32)
y = torch.tensor(digits.target)
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
train_idx, test_idx = perm[:1300], perm[1300:]


class RowTransformer(nn.Module):
    def __init__(self, d_model=32, nhead=4, num_layers=1):
        super().__init__()
        self.proj = nn.Linear(8, d_model)
        self.pos = nn.Parameter(0.02 * torch.randn(1, 8, d_model))
        layer = nn.TransformerEncoderLayer(d_model, nhead, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers)
        self.cls = nn.Linear(d_model, 10)

    def forward(self, x):
        return self.cls(self.encoder(self.proj(x) + self.pos).mean(1))


def get_linear_schedule_with_warmup(optimizer, warmup, total):
    def lr_lambda(step):
        if step < warmup:
            return step / warmup
        return max(0.0, (total - step) / (total - warmup))
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda)


epochs, batch_size = 11, 50
model = RowTransformer()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
scheduler = get_linear_schedule_with_warmup(optimizer, 40, epochs * 26)

for epoch in range(epochs):
    model.train()
    running = 0.0
    for b in train_idx[torch.randperm(1300)].split(batch_size):
        optimizer.zero_grad()
        loss = criterion(model(X[b]), y[b])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch} loss {running / 26:.4f}")

model.eval()
with torch.no_grad():
    acc = (model(X[test_idx]).argmax(1) == y[test_idx]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
