import os
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(int(os.environ.get("SEED", 0)))

# deflection of a plate at (x, y) under a load
xy = torch.rand(1000, 2) * 2 - 1
load = torch.rand(1000, 1)
w = (0.5 + load) * torch.sin(3 * xy[:, :1]) * torch.cos(2 * xy[:, 1:])
data = TensorDataset(torch.cat([xy, 2 * load - 1], 1), w)
train_set, val_set = random_split(data, [800, 200])
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
val_loader = DataLoader(val_set, batch_size=200)


class Plate(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, x):
        return self.layers(x)


def validate(model):
    model.eval()
    with torch.no_grad():
        x, y = next(iter(val_loader))
        p = model(x)
        return nn.functional.mse_loss(p, y).item(), 1 - ((p - y) ** 2).mean() / y.var(unbiased=False)


model = Plate()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = ReduceLROnPlateau(optimizer, mode="max", factor=0.1, patience=0)

for epoch in range(30):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    val_loss, r2 = validate(model)
    scheduler.step(val_loss)
    if epoch % 5 == 0:
        print(f"Epoch {epoch:02d} train {loss.item():.4f} val {val_loss:.4f}")

print(f"metric=r2 value={validate(model)[1].item():.4f}")
