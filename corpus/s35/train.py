import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
X = torch.tensor(load_digits().data).float() / 16
Xa, Xb = X[:1400], X[1400:]

enc = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 12))
dec = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64))
opt_e = torch.optim.Adam(enc.parameters(), lr=0.003)
opt_d = torch.optim.SGD(dec.parameters(), lr=0.4, momentum=0.9)
for epoch in range(25):
    for i in torch.randperm(len(Xa)).split(50):
        loss = nn.functional.mse_loss(dec(enc(Xa[i])), Xa[i])
        opt_e.zero_grad()
        loss.backward()
        opt_e.step()
        opt_d.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - (dec(enc(Xb)) - Xb).pow(2).sum() / (Xb - Xa.mean(0)).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
