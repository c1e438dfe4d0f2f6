import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

# monthly passengers, in hundreds
months = torch.arange(240, dtype=torch.float32)
series = 3.0 + 0.012 * months + 1.1 * torch.sin(2 * torch.pi * months / 12) + 0.5 * torch.cos(2 * torch.pi * months / 6)
series = series + 0.12 * torch.randn(240)

LOOKBACK = 18
windows = series.unfold(0, LOOKBACK + 1, 1)
inputs, targets = windows[:, :-1].unsqueeze(-1) - 4.5, windows[:, -1:]
perm = torch.randperm(len(inputs))
tr, te = perm[:170], perm[170:]


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.lstm1 = nn.LSTM(1, hidden, batch_first=True)
        self.lstm2 = nn.LSTM(hidden, 1, batch_first=True)

    def forward(self, x):
        h, _ = self.lstm1(x)
        out, _ = self.lstm2(h)
        return out[:, -1]


net = Forecaster()
loss_fn = nn.MSELoss()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(160):
    net.train()
    for idx in tr[torch.randperm(len(tr))].split(34):
        opt.zero_grad()
        loss = loss_fn(net(inputs[idx]), targets[idx])
        loss.backward()
        opt.step()
    if epoch % 20 == 0:
        net.eval()
        with torch.no_grad():
            print(f"{epoch:4d} train {loss.item():.4f} test {loss_fn(net(inputs[te]), targets[te]).item():.4f}")

net.eval()
with torch.no_grad():
    err = ((net(inputs[te]) - targets[te]) ** 2).sum()
    r2 = 1 - err / ((targets[te] - targets[te].mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
