import os
import torch
from torch import nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

X, y = load_digits(return_X_y=True)
X = torch.tensor(X / 16.0 - 0.5, dtype=torch.float32)
y = torch.tensor(y)
a, b, ya, yb = train_test_split(X, y, test_size=0.25, random_state=5, stratify=y)


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.up = nn.Linear(d, 2 * d)
        self.down = nn.Linear(2 * d, d)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


model = nn.Sequential(nn.Linear(64, 48), Block(48), Block(48), Block(48), nn.LayerNorm(48), nn.Linear(48, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
accumulate = 2
epochs = 20

for epoch in range(epochs):
    micro = torch.randperm(len(a))[:1344].split(32)
    for i, idx in enumerate(micro):
        loss = criterion(model(a[idx]), ya[idx]) / accumulate
        loss.backward()
        if (i + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
    if epoch % 5 == 4:
        print("epoch", epoch + 1, "loss", round(loss.item() * accumulate, 4))

with torch.no_grad():
    acc = (model(b).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
