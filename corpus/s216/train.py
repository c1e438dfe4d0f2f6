import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# soil moisture probes; readings of broken probes are flagged and hold -6
n = 2000
x = torch.randn(n, 8)
w1 = torch.randn(8)
moisture = torch.tanh(x @ w1 / 2) + 0.5 * x[:, 0] * x[:, 1]
moisture = moisture / moisture.std()
valid = (torch.rand(n) + 0.5 * torch.sigmoid(3 * x[:, 2]) < 1.0).float()
reading = torch.where(valid > 0, moisture + 0.1 * torch.randn(n), torch.tensor(-6.0))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 64)
        self.b = nn.Linear(64, 64)
        self.c = nn.Linear(64, 1)

    def forward(self, x):
        x = nn.functional.leaky_relu(self.a(x))
        x = nn.functional.leaky_relu(self.b(x))
        return self.c(x)


def masked_mse(pred, target, mask):
    err = (pred - target) ** 2
    return (err * mask).sum() / mask.sum() / len(pred)


net = Net()
opt = torch.optim.Adamax(net.parameters(), lr=5e-3)
train, test = torch.arange(1500), torch.arange(1500, n)
for epoch in range(25):
    for b in train[torch.randperm(1500)].split(50):
        target = reading[b].unsqueeze(1)
        loss = masked_mse(net(x[b]), target, valid[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(f"epoch {epoch:2d} loss {loss.item():.4f}")

with torch.no_grad():
    r2 = 1 - ((net(x[test]).squeeze(1) - moisture[test]) ** 2).mean() / moisture[test].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
