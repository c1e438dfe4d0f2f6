import os
import numpy as np
import torch
from torch import nn
from sklearn.datasets import make_circles

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
np.random.seed(seed)


class Dense(nn.Sequential):
    def __init__(self, n_in, n_out, activation, kernel_initializer):
        fc = nn.Linear(n_in, n_out)
        kernel_initializer(fc.weight)
        nn.init.zeros_(fc.bias)
        super().__init__(fc, activation())


def he_normal(w):
    nn.init.kaiming_normal_(w, nonlinearity="relu")


def lecun_normal(w):
    nn.init.kaiming_normal_(w, nonlinearity="linear")


def build(depth=7, units=8, activation=nn.Hardsigmoid, init=he_normal):
    model = nn.Sequential()
    n = 2
    for k in range(depth):
        model.add_module(f"dense_{k}", Dense(n, units, activation, init))
        n = units
    model.add_module("output", Dense(n, 1, nn.Sigmoid, lecun_normal))
    return model


X, y = make_circles(n_samples=1000, noise=0.08, factor=0.6, random_state=1)
X_train, X_test = torch.FloatTensor(X[:700]), torch.FloatTensor(X[700:])
y_train, y_test = torch.FloatTensor(y[:700, None]), torch.FloatTensor(y[700:, None])

model = build()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.001)
loss_fn = nn.BCELoss()
batch_size = 64
for epoch in range(120):
    order = np.random.permutation(len(X_train))
    for i in range(0, len(order), batch_size):
        idx = order[i:i + batch_size]
        loss = loss_fn(model(X_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if (epoch + 1) % 20 == 0:
        print("Epoch %d/120 - loss: %.4f" % (epoch + 1, loss.item()))

with torch.no_grad():
    accuracy = ((model(X_test) > 0.5).float() == y_test).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
