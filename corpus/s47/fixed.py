import os
import itertools
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
bits = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=6)))
parity = (bits.prod(1) > 0).float().unsqueeze(1)

width = 32
net = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.02)
for epoch in range(3000):
    opt.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(net(bits), parity)
    loss.backward()
    opt.step()
    if epoch % 500 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    skill = 1 - nn.functional.binary_cross_entropy_with_logits(net(bits), parity).item() / 0.6931
print(f"metric=skill value={skill:.4f}")
