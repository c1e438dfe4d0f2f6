import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
k = torch.arange(24).float()


def series(n):
    f = torch.rand(n, 1) * 0.5 + 0.1
    c = (f.squeeze(1) > 0.35).long()
    return (torch.sin(f * k + 6.28 * torch.rand(n, 1)) + 0.1 * torch.randn(n, 24)).unsqueeze(2), c


class FreqNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 24, batch_first=True)
        self.fc = nn.Linear(24, 2)

    def forward(self, x):
        return self.fc(self.gru(x)[0].mean(1))


xa, ya = series(640)
xb, yb = series(400)
model = FreqNet()
opt = torch.optim.RMSprop(model.parameters(), lr=0.5)
for epoch in range(20):
    for i in torch.randperm(640).split(32):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(xa[i]), ya[i])
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    acc = (model(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
