import os

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", "0")))

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    digits.images / 16.0, digits.target, test_size=0.25, random_state=1, stratify=digits.target)
x_train = torch.tensor(x_train).flatten(1).half()
x_test = torch.tensor(x_test).flatten(1).half()
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)


class Classifier(nn.Module):
    def __init__(self, width=96):
        super().__init__()
        self.fc1 = nn.Linear(64, width)
        self.fc2 = nn.Linear(width, width)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = F.gelu(self.fc1(x))
        x = x + F.gelu(self.fc2(x))
        return self.head(x)


net = Classifier().half()
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)

for epoch in range(18):
    net.train()
    total, seen = 0.0, 0
    for idx in torch.randperm(len(x_train)).split(64):
        optimizer.zero_grad(set_to_none=True)
        logits = net(x_train[idx]).float()
        loss = F.cross_entropy(logits, y_train[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
        seen += len(idx)
    if epoch % 5 == 0:
        print(f"epoch {epoch:02d}  train loss {total / seen:.4f}")

net.eval()
with torch.no_grad():
    acc = (net(x_test).float().argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
