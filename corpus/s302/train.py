import os
import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import weight_norm
from sklearn.datasets import make_friedman1

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
X, y = make_friedman1(n_samples=900, n_features=10, noise=0.5, random_state=seed)
X = torch.tensor((X - 0.5) / 0.29, dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32).unsqueeze(1)
X_train, y_train, X_val, y_val = X[:700], y[:700], X[700:], y[700:]


class Regressor(nn.Module):
    def __init__(self, n_in, width):
        super().__init__()
        self.fc1 = nn.Linear(n_in, width)
        self.fc2 = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.out(x)


model = Regressor(10, 24)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for layer in (model.fc1, model.fc2, model.out):
    weight_norm(layer)

for epoch in range(60):
    for idx in torch.randperm(700).split(50):
        loss = nn.functional.mse_loss(model(X_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(f"{epoch:3d} {loss.item():.4f}")

with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(model(X_val), y_val) / y_val.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
