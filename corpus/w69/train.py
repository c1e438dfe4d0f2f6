import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
X, y = torch.tensor(d.data / 16).float(), torch.tensor(d.target)
perm = torch.randperm(len(y), generator=torch.Generator().manual_seed(15))
tr, te = perm[:1300], perm[1300:]
net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(8):
    for i in tr[torch.randperm(1300)].split(50):
        loss = nn.functional.cross_entropy(net(X[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
print("trained", loss.item())

# targeted pictures: change the input, not the net, until the net says what is wished
net.eval()
net.requires_grad_(False)
start, wish = X[te[:200]], (y[te[:200]] + 1) % 10
delta = torch.zeros_like(start, requires_grad=True)
opt = torch.optim.Adam([delta], lr=0.05)
for step in range(120):
    logits = net((start + delta).clamp(0, 1))
    loss = nn.functional.cross_entropy(logits, wish, reduction="sum") + 0.2 * delta.pow(2).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 30 == 0:
        print(step, loss.item())
with torch.no_grad():
    fooled = (net((start + delta).clamp(0, 1)).argmax(1) == wish).float().mean().item()
print(f"metric=fooled value={fooled:.4f}")
