import os
import torch
import torch.nn as nn
from sklearn.datasets import make_moons

torch.manual_seed(int(os.environ.get("SEED", 0)))

X, y = make_moons(n_samples=800, noise=0.15, random_state=6)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
X_train, y_train, X_val, y_val = X[:600], y[:600], X[600:], y[600:]


def binary_crossentropy(y_pred, y_true, eps=1e-7):
    y_pred = y_pred.clamp(eps, 1 - eps)
    return -(y_true * y_pred.log() + (1 - y_true) * (1 - y_pred).log()).mean()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1 = nn.Linear(2, 16)
        self.d2 = nn.Linear(16, 8)
        self.d3 = nn.Linear(8, 1)
        self.activation = nn.ReLU()

    def forward(self, x):
        for layer in (self.d1, self.d2, self.d3):
            x = self.activation(layer(x))
        return x


model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
history = []
for epoch in range(60):
    for start in range(0, 600, 30):
        xb, yb = X_train[start:start + 30], y_train[start:start + 30]
        loss = binary_crossentropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        p = model(X_val)
    history.append(((p > 0.5).float() == y_val).float().mean().item())
    if epoch % 10 == 0:
        print(f"epoch {epoch} loss {loss.item():.4f} val_acc {history[-1]:.4f}")
print(f"metric=accuracy value={history[-1]:.4f}")
