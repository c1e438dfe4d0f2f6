import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
n = 400
latent = torch.randn(n, 1)
X = latent + 0.02 * torch.randn(n, 10)
w = torch.randn(10)
w = w - w.mean()
y = (X @ w) / (X @ w).std()
tr, te = slice(0, 300), slice(300, 400)
whiten = torch.eye(10)
model = nn.Linear(10, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
for epoch in range(600):
    opt.zero_grad()
    loss = nn.functional.mse_loss(model(X[tr] @ whiten).squeeze(1), y[tr])
    loss.backward()
    opt.step()
    if epoch % 100 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(model(X[te] @ whiten).squeeze(1), y[te]) / y[te].var()
print(f"metric=r2 value={r2.item():.4f}")
