import os
import numpy as np
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
NUM_DIGITS = 10


def binary_encode(i):
    return [i >> d & 1 for d in range(NUM_DIGITS)]


def fizz_buzz_encode(i):
    return 3 if i % 15 == 0 else 2 if i % 5 == 0 else 1 if i % 3 == 0 else 0


trX = torch.tensor([binary_encode(i) for i in range(101, 2 ** NUM_DIGITS)], dtype=torch.float32)
trY = torch.tensor([fizz_buzz_encode(i) for i in range(101, 2 ** NUM_DIGITS)])
teX = torch.tensor([binary_encode(i) for i in range(1, 101)], dtype=torch.float32)
teY = torch.tensor([fizz_buzz_encode(i) for i in range(1, 101)])

model = nn.Sequential(nn.Linear(NUM_DIGITS, 128), nn.ReLU(), nn.Linear(128, 4))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

for epoch in range(400):
    p = torch.randperm(len(trX))
    for start in range(0, len(trX), 128):
        b = p[start:start + 128]
        loss = loss_fn(model(trX[b]), trY[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 50 == 0:
        print("Epoch:", epoch, "Loss:", loss.item())

with torch.no_grad():
    guess = model(teX).argmax(1)
print(" ".join([str(i), "fizz", "buzz", "fizzbuzz"][g] for i, g in zip(range(1, 16), guess.tolist())))
print(f"metric=accuracy value={(guess == teY).float().mean().item():.4f}")
