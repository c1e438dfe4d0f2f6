import os
import torch
import torch.nn as nn
import torch.utils.data as tud
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", "0")))

data = torch.tensor(load_digits().data / 16, dtype=torch.float32)
shuffled = data[torch.randperm(len(data))]
x_train, x_val = shuffled[:1500], shuffled[1500:]


def dense(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.Sigmoid())


class DeepAutoencoder(nn.Module):
    def __init__(self, sizes=(64, 48, 40, 32, 16)):
        super().__init__()
        self.encoder = nn.Sequential(*[dense(a, b) for a, b in zip(sizes[:-1], sizes[1:])])
        back = sizes[::-1]
        self.decoder = nn.Sequential(*[dense(a, b) for a, b in zip(back[:-2], back[1:-1])])
        self.reconstruct = nn.Linear(back[-2], back[-1])

    def forward(self, x):
        code = self.encoder(x)
        return self.reconstruct(self.decoder(code))


autoencoder = DeepAutoencoder()
optimizer = torch.optim.SGD(autoencoder.parameters(), lr=0.1, momentum=0.9)
criterion = nn.MSELoss()
loader = tud.DataLoader(tud.TensorDataset(x_train), batch_size=32, shuffle=True)

for epoch in range(1, 61):
    running_loss = 0.0
    for (img,) in loader:
        optimizer.zero_grad()
        loss = criterion(autoencoder(img), img)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    if epoch % 10 == 0:
        print("epoch [{}/60], loss: {:.5f}".format(epoch, running_loss / len(loader)))

autoencoder.eval()
with torch.no_grad():
    residual = (autoencoder(x_val) - x_val).pow(2).sum()
    spread = (x_val - x_val.mean(0)).pow(2).sum()
print(f"metric=r2 value={(1 - residual / spread).item():.4f}")
