import os
import torch
import torch.nn as nn
from sklearn.datasets import make_moons

torch.manual_seed(int(os.environ.get("SEED", 0)))

features, labels = make_moons(n_samples=1000, noise=0.2, random_state=42)
features = torch.tensor(features, dtype=torch.float)
labels = torch.tensor(labels, dtype=torch.float).view(-1, 1)
train_x, test_x = features[:750], features[750:]
train_y, test_y = labels[:750], labels[750:]


class MoonClassifier(nn.Module):
    def __init__(self):
        super(MoonClassifier, self).__init__()
        self.hidden1 = nn.Linear(2, 20)
        self.hidden2 = nn.Linear(20, 20)
        self.output = nn.Linear(20, 1)
        self.act = nn.Hardswish()

    def forward(self, x):
        x = self.act(self.hidden1(x))
        x = self.act(self.hidden2(x))
        return self.output(x)


model = MoonClassifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(20):
    perm = torch.randperm(len(train_x))
    total = 0.0
    for i in range(0, len(perm), 25):
        batch = perm[i : i + 25]
        optimizer.zero_grad()
        out = model(train_x[batch])
        loss = criterion(out, train_y[batch])
        loss.backward()
        optimizer.step()
        total += loss.item()
    print("epoch %d loss %.4f" % (epoch, total / 30))

with torch.no_grad():
    predicted = (model(test_x) > 0).float()
print(f"metric=accuracy value={(predicted == test_y).float().mean().item():.4f}")
