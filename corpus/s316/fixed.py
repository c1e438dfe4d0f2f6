import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
digits = load_digits()
xtr, xte, ytr, yte = train_test_split(digits.images, digits.target, test_size=0.25, random_state=0, stratify=digits.target)
xtr, xte = [torch.tensor(a[:, None] / 16.0, dtype=torch.float32) for a in (xtr, xte)]
ytr, yte = torch.tensor(ytr), torch.tensor(yte)


def weights_init(m):
    if isinstance(m, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(m.weight)
        nn.init.constant_(m.bias, 0.0)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.fc1 = nn.Linear(24 * 4, 48)
        self.fc2 = nn.Linear(48, 10)
        self.apply(weights_init)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


net = LeNet()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(12):
    for idx in torch.randperm(len(xtr)).split(64):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(xtr[idx]), ytr[idx])
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")

with torch.no_grad():
    acc = (net(xte).argmax(1) == yte).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
