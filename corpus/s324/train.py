import math
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


def waves(n, length=64):
    kind = torch.randint(0, 4, (n,))
    t = torch.linspace(0, 1, length)
    freq = torch.empty(n, 1).uniform_(2, 4)
    phase = torch.rand(n, 1)
    cycle = (freq * t + phase) % 1.0
    shapes = torch.stack([torch.sin(2 * math.pi * cycle), torch.sign(0.5 - cycle), 2 * cycle - 1,
                          4 * (cycle - 0.5).abs() - 1])
    signal = shapes[kind, torch.arange(n)] + 0.1 * torch.randn(n, length)
    return signal.unsqueeze(1), kind


def conv_block(cin, cout, stride=1):
    return nn.Sequential(nn.Conv1d(cin, cout, 5, stride=stride, padding=2), nn.Sigmoid())


model = nn.Sequential(
    conv_block(1, 12), conv_block(12, 12), conv_block(12, 16, 2), conv_block(16, 16), conv_block(16, 24, 2),
    conv_block(24, 24), conv_block(24, 24, 2), nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(96, 4))

x_train, y_train = waves(1500)
x_val, y_val = waves(500)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(14):
    order = torch.randperm(len(x_train))
    total = 0.0
    for start in range(0, len(order), 50):
        idx = order[start:start + 50]
        optimizer.zero_grad()
        loss = criterion(model(x_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    print(f"epoch {epoch:2d}  train loss {total / len(order):.4f}")

with torch.no_grad():
    accuracy = (model(x_val).argmax(1) == y_val).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
