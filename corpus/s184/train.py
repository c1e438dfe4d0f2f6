import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(61)

# larger root of a x^2 + b x + c
coeffs = rng.uniform(-1, 1, (12000, 3))
disc = coeffs[:, 1] ** 2 - 4 * coeffs[:, 0] * coeffs[:, 2]
coeffs, disc = coeffs[disc > 0], disc[disc > 0]
root = (-coeffs[:, 1] + np.sqrt(disc)) / (2 * coeffs[:, 0])
usual = np.abs(root) < 3
X = torch.tensor(coeffs, dtype=torch.float32)
y = torch.tensor(root, dtype=torch.float32).unsqueeze(1)
usual = torch.tensor(usual)
train = torch.arange(5000)
test = torch.arange(5000, len(X))
test = test[usual[test]]

net = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
criterion = nn.MSELoss()
for epoch in range(15):
    losses = []
    for idx in train[torch.randperm(len(train))].split(50):
        optimizer.zero_grad()
        loss = criterion(net(X[idx]), y[idx])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 3 == 0:
        print(f"epoch {epoch}: mean loss {np.mean(losses):.3f} median {np.median(losses):.3f}")

with torch.no_grad():
    p, t = net(X[test]), y[test]
r2 = 1 - (p - t).pow(2).sum() / (t - t.mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
