import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_num_threads(1)
V, L, C, MARK = 12, 12, 6, 11


def sample(n):
    x = torch.randint(0, MARK, (n, L))
    pos = torch.randint(0, L - 1, (n,))
    rows = torch.arange(n)
    x[rows, pos] = MARK
    return x, x[rows, pos + 1] % C


class Encoder(nn.Module):
    def __init__(self, d=48, heads=4, layers=4):
        super().__init__()
        self.tok = nn.Embedding(V, d)
        self.pos = nn.Embedding(L, d)
        layer = nn.TransformerEncoderLayer(d, heads, dim_feedforward=96, dropout=0.0, batch_first=True)
        self.enc = nn.TransformerEncoder(layer, layers)
        self.cls = nn.Linear(d, C)

    def forward(self, x):
        h = self.tok(x) + self.pos(torch.arange(x.size(1)))
        return self.cls(self.enc(h).mean(1))


model = Encoder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98), eps=1e-9)
criterion = nn.CrossEntropyLoss()
x_val, y_val = sample(600)

for step in range(1, 351):
    x, y = sample(64)
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step} loss {loss.item():.4f} lr {optimizer.param_groups[0]['lr']:.1e}")

model.eval()
with torch.no_grad():
    acc = (model(x_val).argmax(1) == y_val).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
