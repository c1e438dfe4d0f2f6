import os
import numpy as np
import torch
from torch import nn, optim
from sklearn.datasets import load_digits
from sklearn.preprocessing import MinMaxScaler

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)
N_TRAIN, BATCH, EPOCHS = 1400, 50, 25


def get_data():
    X, y = load_digits(return_X_y=True)
    order = np.random.permutation(len(X))
    X, y = X[order], y[order]
    scaler = MinMaxScaler().fit(X[:N_TRAIN])
    X = torch.from_numpy(scaler.transform(X)).float()
    y = torch.from_numpy(y)
    return X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:], y[N_TRAIN:]


def create_model():
    return nn.Sequential(
        nn.Linear(64, 100),
        nn.ReLU(),
        nn.Linear(100, 50),
        nn.ReLU(),
        nn.Linear(50, 10),
    )


def predict(model, X):
    with torch.no_grad():
        return model(X).argmax(dim=1)


def accuracy(model, X, y):
    return (predict(model, X) == y).float().mean().item()


x_train, y_train, x_test, y_test = get_data()
model = create_model()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(EPOCHS):
    losses = []
    shuffled = torch.randperm(N_TRAIN)
    for start in range(0, N_TRAIN, BATCH):
        rows = shuffled[start:start + BATCH]
        optimizer.zero_grad()
        loss = criterion(model(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 5 == 4:
        print(f"Epoch {epoch + 1}/{EPOCHS} - loss: {np.mean(losses):.4f} - acc: {accuracy(model, x_train, y_train):.4f}")

print(f"metric=accuracy value={accuracy(model, x_test, y_test):.4f}")
