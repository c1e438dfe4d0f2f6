import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Autoencoder(nn.Module):
    def __init__(self, n, k, s):
        super().__init__()
        self.enc = nn.Linear(n, k, bias=False)
        self.dec = nn.Linear(k, n, bias=False)
        nn.init.uniform_(self.enc.weight, -s, s)
        nn.init.uniform_(self.dec.weight, -s, s)

    def forward(self, x):
        return self.dec(torch.tanh(self.enc(x)))


basis = torch.linalg.qr(torch.randn(16, 16))[0][:, :4]
X = torch.randn(800, 4) @ basis.T + 0.03 * torch.randn(800, 16)
model = Autoencoder(16, 8, 1e-10)
opt = torch.optim.SGD(model.parameters(), lr=0.3)
for epoch in range(40):
    for i in torch.randperm(600).split(100):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(X[i]), X[i])
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(model(X[600:]), X[600:]) / X[600:].pow(2).mean()
print(f"metric=r2 value={r2.item():.4f}")
