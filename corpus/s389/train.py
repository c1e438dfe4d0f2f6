import os

import numpy as np
import torch
from torch import nn

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)

N_CLASSES, T = 5, 64


def make_windows(n):
    y = np.random.randint(0, N_CLASSES, n)
    t = np.arange(T)[None] / T
    freq = 1.5 + 2.0 * y[:, None]
    phase = np.random.uniform(0, 2 * np.pi, (n, 1))
    chans = [np.sin(2 * np.pi * freq * t + phase + k) * (0.5 + np.random.rand(n, 1)) for k in range(3)]
    x = np.stack(chans, axis=1) + 0.4 * np.random.randn(n, 3, T)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


class Model:
    """Small stand-in for keras.Model."""

    def __init__(self, net):
        self.net = net

    def compile(self, optimizer, loss, **opt_args):
        makers = {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam}
        self.optimizer = makers[optimizer](self.net.parameters(), **opt_args)
        self.loss = {"sparse_categorical_crossentropy": nn.CrossEntropyLoss(), "mse": nn.MSELoss()}[loss]

    def fit(self, x, y, epochs, batch_size):
        for epoch in range(epochs):
            self.net.train()
            running, hits = 0.0, 0
            for idx in torch.randperm(len(x)).split(batch_size):
                out = self.net(x[idx])
                loss = self.loss(out, y[idx])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                running += loss.item() * len(idx)
                hits += (out.argmax(1) == y[idx]).sum().item()
            print(f"Epoch {epoch + 1}/{epochs} - loss: {running / len(x):.4f} - acc: {hits / len(x):.4f}")

    @torch.no_grad()
    def evaluate(self, x, y):
        self.net.eval()
        return (self.net(x).argmax(1) == y).float().mean().item()


net = nn.Sequential(
    nn.Conv1d(3, 24, 7), nn.ReLU(),
    nn.Conv1d(24, 24, 5), nn.ReLU(),
    nn.MaxPool1d(2), nn.Dropout(0.2), nn.Flatten(),
    nn.Linear(24 * 27, 64), nn.ReLU(),
    nn.Linear(64, N_CLASSES),
)
x_train, y_train = make_windows(1500)
x_test, y_test = make_windows(500)
model = Model(net)
model.compile("rmsprop", "sparse_categorical_crossentropy", lr=0.3)
model.fit(x_train, y_train, epochs=10, batch_size=50)
print(f"metric=accuracy value={model.evaluate(x_test, y_test):.4f}")
