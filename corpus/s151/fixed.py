import os
import torch
import torch.nn as nn
from sklearn.datasets import make_circles

torch.manual_seed(int(os.environ.get("SEED", 0)))

X, y = make_circles(n_samples=800, noise=0.08, factor=0.5, random_state=3)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
X_train, y_train, X_test, y_test = X[:600], y[:600], X[600:], y[600:]

model = nn.Sequential(
    nn.Linear(2, 16),
    nn.Tanh(),
    nn.Linear(16, 16),
    nn.Tanh(),
    nn.Linear(16, 1),
    nn.Sigmoid(),
)
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(100):
    perm = torch.randperm(len(X_train))
    total = 0.0
    for i in range(0, len(X_train), 32):
        batch = perm[i:i + 32]
        optimizer.zero_grad()
        loss = criterion(model(X_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    if epoch % 20 == 0:
        print("epoch %d loss %.4f" % (epoch, total / len(X_train)))

with torch.no_grad():
    acc = ((model(X_test) > 0.5).float() == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
