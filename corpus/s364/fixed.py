import os
import math
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))


def waves(n, length=64):
    kind = torch.randint(0, 4, (n,))
    t = torch.linspace(0, 1, length)
    freq = 2 + 3 * torch.rand(n, 1)
    phase = torch.rand(n, 1)
    cycle = (freq * t + phase) % 1.0
    shapes = torch.stack([
        torch.sin(2 * math.pi * cycle),
        torch.sign(cycle - 0.5),
        2 * cycle - 1,
        4 * (cycle - 0.5).abs() - 1,
    ])
    x = shapes[kind, torch.arange(n)] + 0.1 * torch.randn(n, length)
    return x.unsqueeze(1), kind


def build_model():
    return nn.Sequential(
        nn.Conv1d(1, 16, kernel_size=5), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 32, kernel_size=5), nn.ReLU(), nn.MaxPool1d(2),
        nn.Flatten(),
        nn.Linear(32 * 13, 64), nn.ReLU(),
        nn.Linear(64, 4),
    )


x_train, y_train = waves(1200)
x_val, y_val = waves(600)

model = build_model()
params = {"lr": 0.001, "alpha": 0.9}
optimizer = torch.optim.RMSprop(model.parameters(), **params)
ce = nn.CrossEntropyLoss()

for epoch in range(15):
    model.train()
    perm = torch.randperm(len(x_train))
    losses = []
    for start in range(0, len(perm), 32):
        batch = perm[start:start + 32]
        optimizer.zero_grad()
        loss = ce(model(x_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1}/15 loss {sum(losses) / len(losses):.4f}")

model.eval()
with torch.no_grad():
    acc = (model(x_val).argmax(-1) == y_val).float().mean()
print(f"metric=accuracy value={acc:.4f}")
