import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
t = torch.arange(1200) * 0.1
series = torch.sin(t) * torch.cos(0.31 * t) + 0.5 * torch.sin(2.7 * t) + 0.05 * torch.randn(1200)
window, ahead = 24, 12
frames = series.unfold(0, window + ahead, 1)
X, Y = frames[:, :window].unsqueeze(2), frames[:, window:]


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.linear = nn.Linear(hidden, ahead)
        for name, p in self.named_parameters():
            nn.init.constant_(p, 0.0 if "bias" in name else 0.05)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.linear(out[:, -1])


model = Forecaster()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(14):
    for i in torch.randperm(900).split(50):
        loss = nn.functional.mse_loss(model(X[i]), Y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    p, q = model(X[900:]), Y[900:]
r2 = 1 - ((p - q) ** 2).sum() / ((q - q.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
