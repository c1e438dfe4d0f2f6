"""Ten layers of sigmoids on handwritten digits: nothing looks wrong, and nothing is learnt.

python examples/deep_sigmoid.py
"""

import argparse

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=25)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
torch.manual_seed(args.seed)

digits = load_digits()
train_x, test_x, train_y, test_y = train_test_split(
    torch.tensor(digits.data, dtype=torch.float32) / 16,
    torch.tensor(digits.target),
    test_size=0.2,
    stratify=digits.target,
    random_state=3,
)
loader = DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True)

width = 64
layers = [nn.Linear(64, width), nn.Sigmoid()]
for _ in range(8):
    layers += [nn.Linear(width, width), nn.Sigmoid()]
layers.append(nn.Linear(width, 10))
model = nn.Sequential(*layers)

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

for epoch in range(args.epochs):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    print(f"epoch {epoch + 1:2d}  loss {total / len(train_x):.4f}")

model.eval()
with torch.no_grad():
    accuracy = (model(test_x).argmax(dim=1) == test_y).float().mean().item()
print(f"test accuracy {accuracy:.3f}")
