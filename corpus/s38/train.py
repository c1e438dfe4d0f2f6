import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
xa, xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
to_seq = lambda v: torch.tensor(v).float().view(-1, 8, 8)
xa, xb, ya, yb = to_seq(xa), to_seq(xb), torch.tensor(ya), torch.tensor(yb)


class Rows(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.proj = nn.Linear(8, d)
        self.pos = nn.Parameter(0.02 * torch.randn(1, 8, d))
        layer = nn.TransformerEncoderLayer(d, 4, 64, dropout=0.0, batch_first=True)
        self.enc = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(d, 10)

    def forward(self, x):
        return self.head(self.enc(self.proj(x) + self.pos).mean(1))


net = Rows()
opt = torch.optim.Adam(net.parameters(), lr=0.1)
for epoch in range(5):
    for i in torch.randperm(len(xa)).split(48):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
net.eval()
with torch.no_grad():
    acc = (net(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
