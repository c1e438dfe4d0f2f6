import os
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)

data, target = load_digits(return_X_y=True)
data = (data - data.mean()) / data.std()
mask = np.random.RandomState(5).rand(len(data)) < 0.75
Xtr, Ytr = torch.tensor(data[mask]).float(), torch.tensor(target[mask])
Xte, Yte = torch.tensor(data[~mask]).float(), torch.tensor(target[~mask])

sizes = [64] + [100] * 7 + [10]
weights, biases = [], []
for n_in, n_out in zip(sizes, sizes[1:]):
    w = torch.randn(n_in, n_out) / n_in ** 0.5
    weights.append(w.requires_grad_())
    biases.append(torch.zeros(n_out, requires_grad=True))


def predict(x):
    for w, b in zip(weights[:-1], biases[:-1]):
        x = torch.tanh(x @ w + b)
    return x @ weights[-1] + biases[-1]


optimizer = torch.optim.SGD(weights + biases, lr=0.01, momentum=0.9)
batch = 50
for epoch in range(30):
    order = np.random.permutation(len(Xtr))
    for i in range(0, len(order), batch):
        idx = torch.from_numpy(order[i:i + batch])
        loss = F.cross_entropy(predict(Xtr[idx]), Ytr[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print("epoch %d loss %.4f" % (epoch, loss.item()))

with torch.no_grad():
    hits = (predict(Xte).argmax(1) == Yte).float().mean().item()
print("metric=accuracy value=%.4f" % hits)
