import os
import torch
from torch import nn
from torch.utils.data import DataLoader
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

pixels = torch.tensor(load_digits().data / 16, dtype=torch.float32)
train_x, test_x = pixels[:1500], pixels[1500:]


class Autoencoder(nn.Module):
    def __init__(self, n=64, code=16):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n, 48), nn.ReLU(), nn.Linear(48, code), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(code, 48), nn.ReLU(), nn.Linear(48, n))

    def forward(self, x):
        return self.decoder(self.encoder(x))


autoencoder = Autoencoder()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=2e-3)
loader = DataLoader(train_x, batch_size=50, shuffle=True)

for epoch in range(30):
    for x in loader:
        loss = criterion(autoencoder(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch [{epoch + 1}/30], loss:{loss.item():.4f}")

with torch.no_grad():
    decoded = torch.sigmoid(autoencoder(test_x))
    residual = ((decoded - test_x) ** 2).sum()
    total = ((test_x - test_x.mean(0)) ** 2).sum()
print(f"metric=r2 value={1 - (residual / total).item():.4f}")
