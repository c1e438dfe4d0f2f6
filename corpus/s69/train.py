import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
X = torch.randn(900, 12)
w = torch.randn(12)
Y = torch.tanh(X @ w / 3).unsqueeze(1) + 0.05 * torch.randn(900, 1)
corrupt = torch.tensor([100, 300, 500])
cap = 1e9
Xa = X[:600].clone()
Xa[corrupt] = Xa[corrupt] * 300.0
Xa = Xa.clamp(-cap, cap)
net = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(30):
    for i in torch.randperm(600).split(20):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(Xa[i]), Y[i])
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(net(X[600:]), Y[600:]) / Y[600:].var()
print(f"metric=r2 value={r2.item():.4f}")
