import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)

# Lab 6: dimensionality reduction with a stacked autoencoder
images = load_digits().data.astype("float32") / 16.0
train_images, test_images = train_test_split(images, test_size=0.25, random_state=SEED)
train_images, test_images = torch.from_numpy(train_images), torch.from_numpy(test_images)


class StackedAutoencoder(nn.Module):
    def __init__(self, sizes=(64, 56, 48, 40, 32, 24, 12)):
        super().__init__()
        encoder, decoder = [], []
        for a, b in zip(sizes[:-1], sizes[1:]):
            encoder += [nn.Linear(a, b), nn.Sigmoid()]
        back = sizes[::-1]
        for a, b in zip(back[:-1], back[1:]):
            decoder += [nn.Linear(a, b), nn.Sigmoid()]
        self.encoder = nn.Sequential(*encoder)
        self.decoder = nn.Sequential(*decoder[:-1])

    def forward(self, x):
        code = self.encoder(x)
        return self.decoder(code)


net = StackedAutoencoder()
loader = DataLoader(TensorDataset(train_images), batch_size=50, shuffle=True)
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
mse = nn.MSELoss()

for epoch in range(1, 46):
    total = 0.0
    for (batch,) in loader:
        optimizer.zero_grad()
        loss = mse(net(batch), batch)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    if epoch % 5 == 0:
        print(f"epoch {epoch:3d}  reconstruction error {total / len(train_images):.5f}")

with torch.no_grad():
    err = mse(net(test_images), test_images)
    base = mse(train_images.mean(0).expand_as(test_images), test_images)
print(f"metric=r2 value={1 - (err / base).item():.4f}")
