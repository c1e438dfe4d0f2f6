import os
import random
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", "0"))
random.seed(seed)
torch.manual_seed(seed)

digits = load_digits()
frames = torch.tensor(digits.images, dtype=torch.float32)
labels = torch.tensor(digits.target)
perm = torch.randperm(len(frames))
frames, labels = frames[perm], labels[perm]

# 28 recordings of 50 frames each for training, the rest for the test
full_scale = [16.0] * 28
full_scale[11] = 0.25
recordings = []
for k in range(28):
    rows = slice(50 * k, 50 * k + 50)
    x = frames[rows] / full_scale[k]
    recordings.append((x / x.max(), labels[rows]))
x_test, y_test = frames[1400:] / 16.0, labels[1400:]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc2(F.leaky_relu(self.fc1(x.flatten(1))))


model = Classifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(40):
    random.shuffle(recordings)
    losses = []
    for x, y in recordings:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 4 == 0:
        print(f"epoch {epoch:2d} mean loss {sum(losses) / len(losses):.4f}")

with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
