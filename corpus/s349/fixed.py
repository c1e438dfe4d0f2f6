import os
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

X, y = load_digits(return_X_y=True)
X = X / 16.0
X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=y)
X_tr, X_te = torch.FloatTensor(X_tr), torch.FloatTensor(X_te)
y_tr, y_te = torch.LongTensor(y_tr), torch.LongTensor(y_te)
Y_tr = torch.eye(10)[y_tr]


class Layer:
    def __init__(self, n_in, n_out):
        self.W = (torch.randn(n_in, n_out) * (2 / n_in) ** 0.5).requires_grad_()
        self.b = torch.randn(n_out, requires_grad=True)

    def __call__(self, x):
        return torch.sigmoid(x @ self.W + self.b)

    def parameters(self):
        return [self.W, self.b]


class Network:
    def __init__(self, *sizes):
        self.layers = [Layer(a, b) for a, b in zip(sizes, sizes[1:])]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]


net = Network(64, 400, 400, 10)
eta, epochs, batch = 0.5, 20, 10

for epoch in range(epochs):
    perm = torch.randperm(len(X_tr))
    cost_sum = 0.0
    for i in range(0, len(perm), batch):
        rows = perm[i:i + batch]
        out = net(X_tr[rows])
        cost = 0.5 * ((out - Y_tr[rows]) ** 2).sum(1).mean()
        cost.backward()
        for p in net.parameters():
            p.data -= eta * p.grad
            p.grad = None
        cost_sum += cost.item() * len(rows)
    if epoch % 3 == 0:
        print("Epoch", epoch, "cost", round(cost_sum / len(perm), 4))

with torch.no_grad():
    acc = (net(X_te).argmax(1) == y_te).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
