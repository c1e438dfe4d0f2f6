import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))

# remaining life of bearings from vibration windows
n, length = 900, 40
wear = torch.rand(n)
t = torch.arange(length) / length
freq = 3 + 2 * torch.rand(n, 1)
x = (0.5 + wear[:, None]) * torch.sin(2 * torch.pi * freq * t + 6 * torch.rand(n, 1)) + wear[:, None] ** 2 * torch.randn(n, length)
life = (1 - wear) * 2 - 1


class LifeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 16, 5)
        self.fc1 = nn.Linear(32, 32)
        self.fc2 = nn.Linear(32, 1)

    def forward(self, x):
        h = F.relu(self.conv(x.unsqueeze(1)))
        h = torch.cat([h.mean(2), h.std(2)], 1)
        h = F.dropout(F.relu(self.fc1(h)), 0.75, self.training)
        return self.fc2(h).squeeze(1)


net = LifeNet()
opt = torch.optim.Adam(net.parameters(), lr=4e-3)
for epoch in range(40):
    net.train()
    for b in torch.randperm(700).split(35):
        loss = F.mse_loss(net(x[b]), life[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        val = F.mse_loss(net(x[700:]), life[700:])
    if epoch % 8 == 0:
        print(f"{epoch} train {loss.item():.4f} val {val.item():.4f}")

with torch.no_grad():
    r2 = 1 - F.mse_loss(net(x[700:]), life[700:]) / life[700:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
