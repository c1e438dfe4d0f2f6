import os
import torch
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Regressor(torch.nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.l1 = torch.nn.Linear(1, hidden)
        self.l2 = torch.nn.Linear(hidden, hidden)
        self.l3 = torch.nn.Linear(hidden, 1)

    def forward(self, t):
        t = torch.tanh(self.l1(t))
        t = torch.tanh(self.l2(t))
        return self.l3(t)


t = torch.linspace(0, 20, 400).unsqueeze(1)
signal = torch.sin(t) + 0.05 * torch.randn(400, 1, generator=torch.Generator().manual_seed(1))

reg = Regressor(40)
opt = torch.optim.Adam(reg.parameters(), lr=0.01)
for step in range(3001):
    loss = F.mse_loss(reg((t - 10) / 3), signal)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 600 == 0:
        print(f"step {step:5d}  loss {loss.item():.4f}")

with torch.no_grad():
    fit = reg((t - 10) / 3)
r2 = 1 - ((fit - signal) ** 2).sum() / ((signal - signal.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
