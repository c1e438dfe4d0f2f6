import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)

ACTIVATION = nn.Sigmoid


def conv_block(c_in, c_out):
    return [nn.Conv2d(c_in, c_out, 3, padding=1), ACTIVATION()]


def dense_block(n_in, n_out):
    return [nn.Linear(n_in, n_out), ACTIVATION()]


def build_model():
    layers = []
    layers += conv_block(1, 8)
    layers += conv_block(8, 8)
    layers += [nn.AvgPool2d(2)]
    layers += conv_block(8, 16)
    layers += conv_block(16, 16)
    layers += [nn.AvgPool2d(2), nn.Flatten()]
    layers += dense_block(64, 64)
    layers += dense_block(64, 32)
    layers += [nn.Linear(32, 10)]
    model = nn.Sequential(*layers)
    for m in model:
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)
    return model


def run_epoch(model, loader, optimizer=None):
    n, total, correct = 0, 0.0, 0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            logits = model(x)
            loss = nn.functional.cross_entropy(logits, y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            n += len(y)
            total += loss.item() * len(y)
            correct += (logits.argmax(1) == y).sum().item()
    return total / n, correct / n


digits = load_digits()
images = digits.images[:, None].astype("float32") / 16.0
x_train, x_test, y_train, y_test = train_test_split(images, digits.target, test_size=0.25, random_state=seed)
train_loader = DataLoader(TensorDataset(torch.from_numpy(x_train), torch.from_numpy(y_train)), batch_size=32, shuffle=True)
test_loader = DataLoader(TensorDataset(torch.from_numpy(x_test), torch.from_numpy(y_test)), batch_size=450)

model = build_model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
for epoch in range(15):
    loss, acc = run_epoch(model, train_loader, optimizer)
    val_loss, val_acc = run_epoch(model, test_loader)
    print(f"epoch {epoch + 1:2d} loss {loss:.4f} acc {acc:.4f} val_loss {val_loss:.4f} val_acc {val_acc:.4f}")

print(f"metric=accuracy value={val_acc:.4f}")
