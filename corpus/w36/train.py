import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def batch(n, T=20):
    x = torch.randint(0, 2, (n, T)).float()
    return x.unsqueeze(2), x.cumsum(1) % 2


class Parity(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 24, batch_first=True)
        self.out = nn.Linear(24, 1)

    def forward(self, x):
        return self.out(self.lstm(x)[0]).squeeze(2)


net = Parity()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(700):
    x, y = batch(48, 8 if step < 400 else 14)
    loss = nn.functional.binary_cross_entropy_with_logits(net(x), y)
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
    if step % 70 == 0:
        print(step, loss.item())
x, y = batch(400, 14)
with torch.no_grad():
    acc = ((net(x) > 0).float() == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
