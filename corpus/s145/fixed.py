import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
data, target = load_digits(return_X_y=True)
data = torch.tensor(data / 16).float().reshape(-1, 1, 8, 8)
target = torch.tensor(target)
perm = torch.randperm(len(data), generator=torch.Generator().manual_seed(1))
train_idx, test_idx = perm[:1300], perm[1300:]


def conv(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, stride=2, padding=1),
        nn.GroupNorm(4, cout),
        nn.ReLU(),
    )


model = nn.Sequential(conv(1, 16), conv(16, 32), conv(32, 64), nn.Flatten(), nn.Linear(64, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(6):
    order = train_idx[torch.randperm(len(train_idx))]
    for rows in order.split(50):
        optimizer.zero_grad()
        loss = criterion(model(data[rows]), target[rows])
        loss.backward()
        optimizer.step()
    print(f"{epoch}: {loss.item():.3f}")
model.eval()
with torch.no_grad():
    accuracy = (model(data[test_idx]).argmax(1) == target[test_idx]).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
