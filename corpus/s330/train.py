import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

n = 2500
salary = rng.normal(48000, 14000, n)
balance = rng.exponential(9000, n)
age = rng.integers(18, 70, n)
products = rng.integers(1, 5, n)
complaints = rng.poisson(0.7, n)
logit = (1.6 * (complaints - 0.7) - 1.1 * (products - 2.5) + 0.09 * (age - 44) * np.sign(salary - 48000)
         - 0.00005 * (balance - 9000))
churn = (logit + rng.logistic(0, 0.3, n) > 0).astype(int)

X = np.column_stack([salary, balance, age, products, complaints]).astype(np.float32)
X_train, X_test = torch.from_numpy(X[:2000]), torch.from_numpy(X[2000:])
y_train, y_test = torch.from_numpy(churn[:2000]), torch.from_numpy(churn[2000:])

W1 = nn.Parameter(torch.empty(5, 32))
b1 = nn.Parameter(torch.zeros(32))
W2 = nn.Parameter(torch.empty(32, 16))
b2 = nn.Parameter(torch.zeros(16))
W3 = nn.Parameter(torch.empty(16, 2))
b3 = nn.Parameter(torch.zeros(2))
for W in (W1, W2, W3):
    nn.init.xavier_uniform_(W)


def predict(x):
    hidden = torch.sigmoid(x @ W1 + b1)
    hidden = torch.sigmoid(hidden @ W2 + b2)
    return hidden @ W3 + b3


optimizer = torch.optim.Adam([W1, b1, W2, b2, W3, b3], lr=0.01)
for epoch in range(60):
    perm = torch.randperm(2000)
    for i in range(0, 2000, 50):
        idx = perm[i:i + 50]
        loss = nn.functional.cross_entropy(predict(X_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(epoch, f"{loss.item():.4f}")

with torch.no_grad():
    acc = (predict(X_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
