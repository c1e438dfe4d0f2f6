import os
import numpy as np
import torch
from torch import nn
from sklearn.datasets import load_digits

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)

config = {
    "filters": [12, 24],
    "dense": 48,
    "lr": 1e-3,
    "batch": 64,
    "epochs": 12,
}


def conv_block(cin, cout):
    return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))


def make_model(cfg):
    f1, f2 = cfg["filters"]
    net = nn.Sequential(
        conv_block(1, f1),
        conv_block(f1, f2),
        nn.Flatten(),
        nn.Linear(f2 * 16, cfg["dense"]),
        nn.ReLU(),
        nn.Linear(cfg["dense"], 10),
    )
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return net


digits = load_digits()
images = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)
images = nn.functional.interpolate(images, size=16, mode="bilinear", align_corners=False)
labels = torch.tensor(digits.target)
perm = torch.randperm(len(labels))
train_idx, test_idx = perm[:1300], perm[1300:]

model = make_model(config)
optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
criterion = nn.CrossEntropyLoss()

for epoch in range(1, config["epochs"] + 1):
    running = 0.0
    for batch in train_idx[torch.randperm(1300)].split(config["batch"]):
        optimizer.zero_grad()
        loss = criterion(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(batch)
    if epoch % 3 == 0:
        print(f"epoch {epoch:2d}  train loss {running / 1300:.4f}")

with torch.no_grad():
    acc = (model(images[test_idx]).argmax(1) == labels[test_idx]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
