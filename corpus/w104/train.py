import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

# sanity check: can the model overfit a single batch?
digits = load_digits()
x = torch.tensor(digits.images[:32], dtype=torch.float32).unsqueeze(1) / 16
y = torch.tensor(digits.target[:32])


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 16, 3, padding=1)
        self.c3 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.c1(x))
        x = x + F.relu(self.c2(x))
        x = F.relu(self.c3(x)).mean((2, 3))
        return self.fc(x)


model = ConvNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(400):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    if step % 80 == 0:
        print(f"step {step}: {loss.item():.6f}")

with torch.no_grad():
    acc = (model(x).argmax(1) == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
