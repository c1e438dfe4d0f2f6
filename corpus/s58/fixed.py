import os
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_diabetes(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.tensor((y - y.mean()) / y.std()).float()
order = torch.randperm(442, generator=torch.Generator().manual_seed(0))
tr, te = order[:321], order[321:]


class Standardize(nn.Module):
    def forward(self, h):
        return (h - h.mean(0)) / (h.std(0) + 1e-5)


body = nn.Sequential(nn.Linear(10, 20), Standardize(), nn.ELU(), nn.Linear(20, 1))
opt = torch.optim.SGD(body.parameters(), lr=0.02)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X[tr], y[tr]), batch_size=32, shuffle=True, drop_last=True)
for epoch in range(30):
    for a, b in loader:
        opt.zero_grad()
        loss = nn.functional.mse_loss(body(a).squeeze(1), b)
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(body(X[te]).squeeze(1), y[te]) / y[te].var()
print(f"metric=r2 value={r2.item():.4f}")
