import os
import itertools
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

bits = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4)))
parity = (bits.prod(dim=1, keepdim=True) > 0).float()


class Parity(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(4, width)
        self.outer = nn.Linear(width, 1)

    def forward(self, b):
        return self.outer(torch.tanh(self.inner(b)))


net = Parity(24)
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
criterion = nn.BCEWithLogitsLoss()

for step in range(3000):
    optimizer.zero_grad()
    loss = criterion(net(bits), parity)
    loss.backward()
    optimizer.step()
    if step % 300 == 0:
        print(f"step {step:4d}  loss {loss.item():.6f}")

with torch.no_grad():
    accuracy = ((net(bits) > 0).float() == parity).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
