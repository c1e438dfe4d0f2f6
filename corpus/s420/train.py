import os

import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler, label_binarize

np.random.seed(int(os.environ.get("SEED", "0")))
torch.manual_seed(int(os.environ.get("SEED", "0")))


def load():
    data, target = load_wine(return_X_y=True)
    onehot = label_binarize(target, classes=[0, 1, 2])
    xtr, xte, ytr, yte = train_test_split(data, onehot, test_size=0.3, random_state=12, stratify=target)
    scaler = StandardScaler().fit(xtr)
    return [torch.as_tensor(v, dtype=torch.float32) for v in (scaler.transform(xtr), scaler.transform(xte), ytr, yte)]


class Classifier:
    def __init__(self, layers):
        self.layers = layers
        self.log = []

    def compile(self, optimizer, loss):
        self.optimizer, self.loss = optimizer, loss

    def fit(self, x, y, epochs, batch_size):
        for epoch in range(epochs):
            order = torch.randperm(len(x))
            seen = 0.0
            for part in order.split(batch_size):
                self.optimizer.zero_grad()
                value = self.loss(self.layers(x[part]), y[part])
                value.backward()
                self.optimizer.step()
                seen += value.item() * len(part)
            self.log.append(seen / len(x))

    @torch.no_grad()
    def score(self, x, y):
        return (self.layers(x).argmax(1) == y.argmax(1)).float().mean().item()


x_train, x_test, y_train, y_test = load()
layers = nn.Sequential(nn.Linear(13, 20), nn.ReLU(), nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 3))
clf = Classifier(layers)
clf.compile(torch.optim.Adadelta(layers.parameters(), lr=0.001, rho=0.95), nn.CrossEntropyLoss())
clf.fit(x_train, y_train, epochs=100, batch_size=10)
print("loss every 20 epochs:", [round(v, 4) for v in clf.log[::20]])
print(f"metric=accuracy value={clf.score(x_test, y_test):.4f}")
