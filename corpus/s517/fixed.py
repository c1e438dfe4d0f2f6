import os
import torch
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", "0")))

images = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
images = images[torch.randperm(len(images))]
train, test = images[:1500], images[1500:]

sizes = [64, 50, 40, 30, 20, 10, 20, 30, 40, 50, 64]
weights, biases = [], []
for n_in, n_out in zip(sizes[:-1], sizes[1:]):
    weights.append((torch.randn(n_in, n_out) * (1.0 / n_in) ** 0.5).requires_grad_())
    biases.append(torch.zeros(n_out, requires_grad=True))


def reconstruct(x):
    for W, b in zip(weights[:-1], biases[:-1]):
        x = torch.tanh(x @ W + b)
    return x @ weights[-1] + biases[-1]


optimizer = torch.optim.SGD(weights + biases, lr=0.01, momentum=0.9)
batch = 50
for epoch in range(40):
    perm = torch.randperm(len(train))
    running = 0.0
    for i in range(0, len(train), batch):
        xb = train[perm[i:i + batch]]
        loss = ((reconstruct(xb) - xb) ** 2).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(xb)
    if epoch % 4 == 0:
        print(f"[{epoch}] reconstruction error {running / len(train):.4f}")

with torch.no_grad():
    r2 = 1 - ((reconstruct(test) - test) ** 2).sum() / ((test - test.mean(0)) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
