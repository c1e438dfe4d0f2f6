import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
y = torch.tensor(digits.target)
p = torch.randperm(len(y))
x, y = x[p], y[p]

# random convolution features, only the read-out is learned
features = nn.Sequential(nn.Conv2d(1, 96, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(96, 96, 3), nn.ReLU(), nn.Flatten())
features.requires_grad_(False)
features.eval()
head = nn.Linear(96 * 4, 10)
model = nn.Sequential(features, nn.BatchNorm1d(96 * 4, affine=False), head)

opt = torch.optim.SGD(filter(lambda q: q.requires_grad, model.parameters()), lr=0.05, momentum=0.9, weight_decay=1e-3)
for epoch in range(12):
    model.train()
    features.eval()
    for b in torch.randperm(1400).split(50):
        loss = nn.functional.cross_entropy(model(x[b]), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 3 == 0:
        print(epoch, loss.item())

model.eval()
with torch.no_grad():
    acc = (model(x[1400:]).argmax(1) == y[1400:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
