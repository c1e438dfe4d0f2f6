import os
import numpy as np
import torch
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", 0))
np.random.seed(seed)
torch.manual_seed(seed)

digits = load_digits()
keep = np.isin(digits.target, (3, 8))
images = digits.images[keep] * (255.0 / 16.0)
labels = (digits.target[keep] == 8).astype(np.float32)
order = np.random.permutation(len(labels))
images, labels = images[order], labels[order]

train_x = torch.tensor(images[:250].reshape(250, -1).T, dtype=torch.float32)
test_x = torch.tensor(images[250:].reshape(len(labels) - 250, -1).T, dtype=torch.float32)
train_y = torch.tensor(labels[:250]).reshape(1, -1)
test_y = torch.tensor(labels[250:]).reshape(1, -1)


def initialize_with_zeros(dim):
    w = torch.zeros(dim, 1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    return w, b


def propagate(w, b, X, Y):
    m = X.shape[1]
    A = torch.sigmoid(w.T @ X + b)
    cost = -1 / m * torch.sum(Y * torch.log(A) + (1 - Y) * torch.log(1 - A))
    return cost


def optimize(w, b, X, Y, num_iterations, learning_rate):
    costs = []
    for i in range(num_iterations):
        cost = propagate(w, b, X, Y)
        cost.backward()
        with torch.no_grad():
            w -= learning_rate * w.grad
            b -= learning_rate * b.grad
            w.grad.zero_()
            b.grad.zero_()
        if i % 100 == 0:
            costs.append(cost.item())
            print("Cost after iteration %i: %f" % (i, cost.item()))
    return costs


w, b = initialize_with_zeros(64)
optimize(w, b, train_x, train_y, num_iterations=1500, learning_rate=0.01)
with torch.no_grad():
    pred = (torch.sigmoid(w.T @ test_x + b) > 0.5).float()
acc = (pred == test_y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
