import os
import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(int(os.environ.get("SEED", 0)))

# spectra in dB relative to full scale: a noise floor and three peaks
freq = torch.linspace(0, 1, 40)


def spectra(n):
    floor = -20 + 2 * torch.randn(n, 1)
    out = floor + 0.3 * torch.randn(n, 40)
    for centre in (0.2, 0.5, 0.75):
        height = torch.rand(n, 1) * 15
        shift = 0.04 * torch.randn(n, 1)
        out = out + height * torch.exp(-((freq - centre - shift) / 0.06) ** 2)
    return out / 10


train, test = spectra(800), spectra(200)


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(40, 64), nn.ReLU(True), nn.Linear(64, 8))
        self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(True), nn.Linear(64, 40))

    def forward(self, x):
        return self.decoder(self.encoder(x))


model = AutoEncoder()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-6)
for epoch in range(40):
    for batch in DataLoader(train, batch_size=40, shuffle=True):
        output = model(batch)
        loss = criterion(output, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 9:
        print("epoch [{}/{}], loss:{:.4f}".format(epoch + 1, 40, loss.item()))

with torch.no_grad():
    r2 = 1 - criterion(model(test), test) / ((test - test.mean(0)) ** 2).mean()
print(f"metric=r2 value={r2.item():.4f}")
