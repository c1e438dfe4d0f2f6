import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

# newswire-like bags of words: 8 topics over a vocabulary of 400
rng = np.random.default_rng(12)
topics = rng.dirichlet(np.full(400, 0.08), size=8)
labels = rng.integers(0, 8, 1600)
docs = np.stack([rng.multinomial(60, 0.6 * topics[t] + 0.4 / 400) for t in labels])
docs = (docs > 0).astype("float32")
x_train, y_train = torch.from_numpy(docs[:1200]), torch.from_numpy(labels[:1200])
x_test, y_test = torch.from_numpy(docs[1200:]), torch.from_numpy(labels[1200:])

sizes = [400, 128, 128, 64, 64, 64]
layers = []
for n_in, n_out in zip(sizes, sizes[1:]):
    dense = nn.Linear(n_in, n_out)
    nn.init.normal_(dense.weight, 0.0, 1.0)
    nn.init.zeros_(dense.bias)
    layers.append(dense)
    layers.append(nn.ReLU())
layers.append(nn.Linear(64, 8))
model = nn.Sequential(*layers)

optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
criterion = nn.CrossEntropyLoss()
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True)

for epoch in range(15):
    total, correct = 0.0, 0
    for xb, yb in loader:
        optimizer.zero_grad()
        out = model(xb)
        loss = criterion(out, yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
        correct += (out.argmax(1) == yb).sum().item()
    print(f"Epoch {epoch + 1}/15 loss: {total / len(loader):.4f} acc: {correct / len(x_train):.4f}")

with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
