import os
import numpy as np
import torch
from sklearn.datasets import make_blobs

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
np.random.seed(seed)


class Square(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)


X, y = make_blobs(900, centers=3, n_features=2, cluster_std=2.0, random_state=2)
X = (X - X.mean(0)) / X.std(0)
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
X_train, y_train, X_test, y_test = X[:600], y[:600], X[600:], y[600:]

model = torch.nn.Sequential()
sizes = [2, 16, 16, 16, 16]
for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
    model.append(torch.nn.Linear(a, b))
    torch.nn.init.kaiming_normal_(model[-1].weight)
    model.append(Square())
model.append(torch.nn.Linear(16, 3))

optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
criterion = torch.nn.CrossEntropyLoss()
for epoch in range(20):
    order = np.random.permutation(600)
    for i in range(0, 600, 30):
        rows = order[i:i + 30]
        optimizer.zero_grad()
        loss = criterion(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())

with torch.no_grad():
    acc = (model(X_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
