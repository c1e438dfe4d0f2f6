import os
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))

X, y = make_friedman1(1200, n_features=8, noise=0.5, random_state=0)
X_train, X_test, y_train, y_test = [torch.tensor(a, dtype=torch.float32) for a in train_test_split(X, y, random_state=0)]

model = nn.Sequential(
    nn.Linear(8, 64),
    nn.ReLU(),
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
    nn.Flatten(0),
)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.002)

for epoch in range(60):
    for idx in torch.randperm(len(X_train)).split(30):
        y_pred = model(X_train[idx])
        loss = criterion(y_pred, y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 12 == 0:
        print("epoch:", epoch, "mse:", loss.item())

with torch.no_grad():
    residual = model(X_test) - y_test
r2 = 1 - residual.pow(2).sum() / (y_test - y_test.mean()).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
