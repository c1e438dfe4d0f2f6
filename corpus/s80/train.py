import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def make(n, length=80):
    """A flag at the first position, then noise: which flag was it?"""
    y = torch.randint(0, 2, (n,))
    x = torch.randn(n, length, 4) * 0.5
    x[:, 0, :] = 0
    x[torch.arange(n), 0, y] = 2.0
    return x, y


class Recall(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(4, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 2)

    def forward(self, x):
        _, (h, _) = self.lstm(x)
        return self.out(h[-1])


model = Recall()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loss_fn = nn.CrossEntropyLoss()
for it in range(120):
    x, y = make(64)
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if it % 20 == 0:
        print(f"iter {it}: {loss.item():.4f}")
with torch.no_grad():
    x, y = make(500)
    acc = (model(x).argmax(1) == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
