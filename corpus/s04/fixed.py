import os
import torch
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_wine(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
A, B, ya, yb = train_test_split(torch.tensor(X).float(), torch.tensor(y), test_size=0.4, random_state=0, stratify=y)

gain = 1.0
sizes = [13] + [40] * 10 + [3]
W = [(torch.randn(i, o) * gain / i ** 0.5).requires_grad_() for i, o in zip(sizes, sizes[1:])]
b = [torch.zeros(o, requires_grad=True) for o in sizes[1:]]


def predict(h):
    for w, c in zip(W[:-1], b[:-1]):
        h = torch.tanh(h @ w + c)
    return h @ W[-1] + b[-1]


lr = 0.1
for it in range(800):
    logits = predict(A)
    loss = -logits.log_softmax(1)[torch.arange(len(A)), ya].mean()
    grads = torch.autograd.grad(loss, W + b)
    with torch.no_grad():
        for p, g in zip(W + b, grads):
            p -= lr * g
    if it % 200 == 0:
        print(it, loss.item())

acc = (predict(B).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
