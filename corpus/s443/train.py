import os
import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

num_classes = 6
window = 64
epochs = 12
batch_size = 64


def make_windows(n):
    # three axes of an accelerometer, one activity per window
    t = np.arange(window) / 50.0
    labels = np.random.randint(0, num_classes, n)
    freq = np.array([0.0, 1.0, 1.6, 2.4, 3.5, 5.0])[labels]
    amp = np.array([0.05, 0.5, 0.8, 0.7, 1.0, 1.2])[labels]
    data = np.zeros((n, 3, window), dtype="float32")
    for axis in range(3):
        phase = np.random.uniform(0, 2 * np.pi, (n, 1))
        wave = amp[:, None] * np.sin(2 * np.pi * freq[:, None] * t + phase)
        data[:, axis] = wave / (axis + 1) + 0.2 * np.random.randn(n, window)
    return torch.from_numpy(data), torch.from_numpy(labels)


x_train, y_train = make_windows(1500)
x_test, y_test = make_windows(500)

model = nn.Sequential()
model.add_module("conv1", nn.Conv1d(3, 32, 5))
model.add_module("relu1", nn.ReLU())
model.add_module("conv2", nn.Conv1d(32, 32, 5))
model.add_module("relu2", nn.ReLU())
model.add_module("pool", nn.MaxPool1d(2))
model.add_module("flatten", nn.Flatten())
model.add_module("dense1", nn.Linear(32 * 28, 100))
model.add_module("relu3", nn.ReLU())
model.add_module("dense2", nn.Linear(100, num_classes))

loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)

history = {"loss": [], "acc": []}
for epoch in range(epochs):
    order = torch.randperm(len(x_train))
    losses, hits = [], 0
    for start in range(0, len(order), batch_size):
        idx = order[start:start + batch_size]
        out = model(x_train[idx])
        loss = loss_fn(out, y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        hits += (out.argmax(1) == y_train[idx]).sum().item()
    history["loss"].append(np.mean(losses))
    history["acc"].append(hits / len(x_train))
    print(f"Epoch {epoch + 1}/{epochs} - loss: {history['loss'][-1]:.4f} - acc: {history['acc'][-1]:.4f}")

model.eval()
with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
