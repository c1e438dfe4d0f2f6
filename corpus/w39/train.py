import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
base = torch.randn(6, 16)
kind = torch.randint(0, 6, (1000,))
X = base[kind] + 0.5 * torch.randn(1000, 16)


class Denoiser(nn.Module):
    def __init__(self, n=16, k=6):
        super().__init__()
        self.w = nn.Parameter(torch.randn(k, n) * 0.1)
        self.b, self.c = nn.Parameter(torch.zeros(k)), nn.Parameter(torch.zeros(n))

    def forward(self, x):
        return nn.functional.linear(torch.tanh(nn.functional.linear(x, self.w, self.b)), self.w.T, self.c)


net = Denoiser()
opt = torch.optim.Adagrad(net.parameters(), lr=0.1)
for epoch in range(40):
    for i in torch.randperm(800).split(50):
        opt.zero_grad()
        loss = (net(X[i] + 0.3 * torch.randn(len(i), 16)) - X[i]).pow(2).mean()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    clean = base[kind[800:]]
    r2 = 1 - (net(X[800:]) - clean).pow(2).mean() / clean.var()
print(f"metric=r2 value={r2.item():.4f}")
