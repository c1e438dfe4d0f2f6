import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", "0")))

images = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
images = images[torch.randperm(len(images))]
x_train, x_test = images[:1400], images[1400:]


class DeepAutoencoder(nn.Module):
    def __init__(self, sizes=(64, 48, 40, 32, 24, 12)):
        super().__init__()
        down = list(zip(sizes[:-1], sizes[1:]))
        up = [(b, a) for a, b in reversed(down)]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in down)
        self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in up)
        self.act = F.elu

    def forward(self, x):
        for layer in self.encoder:
            x = self.act(layer(x))
        for layer in self.decoder[:-1]:
            x = self.act(layer(x))
        return self.decoder[-1](x)


ae = DeepAutoencoder()
optimizer = torch.optim.SGD(ae.parameters(), lr=0.5, momentum=0.9)

for epoch in range(45):
    running = 0.0
    for idx in torch.randperm(len(x_train)).split(50):
        batch = x_train[idx]
        loss = F.mse_loss(ae(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(idx)
    if epoch % 5 == 0:
        print(f"[{epoch:3d}] reconstruction error {running / len(x_train):.5f}")

with torch.no_grad():
    err = ((ae(x_test) - x_test) ** 2).sum()
    var = ((x_test - x_train.mean(0)) ** 2).sum()
print(f"metric=r2 value={(1 - err / var).item():.4f}")
