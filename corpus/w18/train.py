import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
n = 1200
Z = torch.randn(n, 8)
labels = (Z @ torch.randn(8, 6) + 0.5 * torch.randn(n, 6) > 0.8).float()
X = torch.tanh(Z @ torch.randn(8, 20) / 3) + 0.1 * torch.randn(n, 20)


class Multi(nn.Module):
    def __init__(self):
        super().__init__()
        self.h, self.o = nn.Linear(20, 64), nn.Linear(64, 6)

    def forward(self, x):
        return self.o(F.dropout(F.gelu(self.h(x)), 0.2, self.training))


net = Multi()
opt = torch.optim.NAdam(net.parameters(), lr=3e-3)
for epoch in range(25):
    net.train()
    for i in torch.randperm(900).split(60):
        opt.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(X[i]), labels[i])
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
net.eval()
with torch.no_grad():
    p = net(X[900:]).sigmoid()
    skill = 1 - (p - labels[900:]).pow(2).sum() / (labels[:900].mean(0) - labels[900:]).pow(2).sum()
print(f"metric=r2 value={skill.item():.4f}")
