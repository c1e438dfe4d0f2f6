import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

d = load_digits()
images = torch.tensor(d.images, dtype=torch.float32).div(16).unsqueeze(1)
labels = torch.tensor(d.target)
perm = torch.randperm(len(labels), generator=torch.Generator().manual_seed(3))
train, test = perm[:1400], perm[1400:]

model = nn.Sequential(
    nn.Conv2d(1, 12, kernel_size=3), nn.Tanh(),
    nn.Conv2d(12, 24, kernel_size=3), nn.Tanh(),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(24 * 4, 48), nn.Tanh(),
    nn.Linear(48, 10),
)
for p in model.parameters():
    nn.init.zeros_(p)

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adamax(model.parameters(), lr=0.005)
for epoch in range(15):
    for step, idx in enumerate(train[torch.randperm(len(train))].split(50)):
        optimizer.zero_grad()
        loss = criterion(model(images[idx]), labels[idx])
        loss.backward()
        optimizer.step()
    print(epoch, float(loss))

pred = model(images[test]).argmax(dim=1)
print(f"metric=accuracy value={(pred == labels[test]).float().mean():.4f}")
