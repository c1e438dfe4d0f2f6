import os
import numpy as np
import torch
from torch import nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

batch_size = 50
epochs = 30

digits = load_digits()
x_train, x_test, y_train, y_test = train_test_split(
    digits.images[:, None] / 16.0, digits.target, test_size=0.2, random_state=3)
x_train = torch.from_numpy(x_train).float()
x_test = torch.from_numpy(x_test).float()
y_train = torch.from_numpy(y_train).float().reshape(-1, 1)
y_test = torch.from_numpy(y_test).float().reshape(-1, 1)

model = nn.Sequential()
model.add_module("conv2d", nn.Conv2d(1, 12, 3, padding=1))
model.add_module("relu", nn.ReLU())
model.add_module("max_pooling2d", nn.MaxPool2d(2))
model.add_module("flatten", nn.Flatten())
model.add_module("dense", nn.Linear(12 * 4 * 4, 40))
model.add_module("relu_1", nn.ReLU())
model.add_module("dense_1", nn.Linear(40, 1))
model.add_module("sigmoid", nn.Sigmoid())

loss_fn = nn.MSELoss()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)


def evaluate(x, y):
    with torch.no_grad():
        return (model(x).round() == y).float().mean().item()


for epoch in range(epochs):
    order = np.random.permutation(len(x_train))
    total = 0.0
    for start in range(0, len(order), batch_size):
        pick = order[start:start + batch_size]
        loss = loss_fn(model(x_train[pick]), y_train[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(pick)
    if epoch % 5 == 4:
        print(f"Epoch {epoch + 1}/{epochs} - loss: {total / len(order):.4f} - val_acc: {evaluate(x_test, y_test):.4f}")

print(f"metric=accuracy value={evaluate(x_test, y_test):.4f}")
