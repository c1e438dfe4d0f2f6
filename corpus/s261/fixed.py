import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", 0))


def load_planar_dataset():
    rng = np.random.RandomState(1)
    m, a = 400, 4
    n = m // 2
    X = np.zeros((m, 2))
    Y = np.zeros((m, 1))
    for j in range(2):
        ix = range(n * j, n * (j + 1))
        t = np.linspace(j * 3.12, (j + 1) * 3.12, n) + rng.randn(n) * 0.2
        r = a * np.sin(4 * t) + rng.randn(n) * 0.2
        X[ix] = np.c_[r * np.sin(t), r * np.cos(t)]
        Y[ix] = j
    return torch.tensor(X.T).float(), torch.tensor(Y.T).float()


def initialize_parameters(n_x, n_h, n_y):
    W1 = (torch.randn(n_h, n_x) * 0.01).requires_grad_()
    b1 = torch.zeros(n_h, 1, requires_grad=True)
    W2 = (torch.randn(n_y, n_h) * 0.01).requires_grad_()
    b2 = torch.zeros(n_y, 1, requires_grad=True)
    return [W1, b1, W2, b2]


def forward(X, params):
    W1, b1, W2, b2 = params
    A1 = torch.tanh(W1 @ X + b1)
    return torch.sigmoid(W2 @ A1 + b2)


def nn_model(X, Y, n_h, num_iterations=3000, learning_rate=1.2):
    torch.manual_seed(seed)
    params = initialize_parameters(X.shape[0], n_h, Y.shape[0])
    for i in range(num_iterations):
        A2 = forward(X, params)
        cost = -(Y * torch.log(A2) + (1 - Y) * torch.log(1 - A2)).mean()
        grads = torch.autograd.grad(cost, params)
        with torch.no_grad():
            for p, g in zip(params, grads):
                p -= learning_rate * g
        if i % 500 == 0:
            print("Cost after iteration %i: %f" % (i, cost))
    return params


X, Y = load_planar_dataset()
params = nn_model(X, Y, n_h=6)
with torch.no_grad():
    acc = ((forward(X, params) > 0.5).float() == Y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
