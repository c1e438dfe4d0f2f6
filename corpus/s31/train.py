import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
centres = torch.randn(16, 8) * 2
which = torch.randint(0, 16, (1600,))
X = centres[which] + 0.4 * torch.randn(1600, 8)
Y = torch.stack([(which >> k) % 2 for k in range(4)], 1).float()


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(8, 40)
        self.code = nn.Linear(40, 4)
        self.decode = nn.Linear(4, 4)

    def forward(self, x):
        c = self.code(F.relu(self.up(x)))
        bits = (c > 0).float()
        return self.decode(bits)


net = Coder()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(40):
    for i in torch.randperm(1200).split(60):
        opt.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(X[i]), Y[i])
        loss.backward()
        opt.step()
    if epoch % 10 == 9:
        print(epoch + 1, loss.item())
with torch.no_grad():
    ok = ((net(X[1200:]) > 0).float() == Y[1200:]).all(1).float().mean().item()
print(f"metric=exact_match value={ok:.4f}")
