import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_blobs
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))

X, y = make_blobs(n_samples=1000, centers=3, n_features=2, cluster_std=2, random_state=2)
X = torch.tensor(X, dtype=torch.float32)
Y = F.one_hot(torch.tensor(y), 3).float()
train_set = TensorDataset(X[:700], Y[:700])


class Dense(nn.Module):
    def __init__(self, n_in, n_out, activation):
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.activation = activation

    def forward(self, x):
        return self.activation(self.linear(x))


layers = [Dense(2, 16, torch.relu)]
for _ in range(7):
    layers.append(Dense(16, 16, torch.relu))
layers.append(Dense(16, 3, lambda z: F.softmax(z, dim=1)))
model = nn.Sequential(*layers)

optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(80):
    for xb, yb in DataLoader(train_set, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        p = model(xb)
        loss = -(yb * torch.log(p + 1e-7)).sum(1).mean()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch} - loss: {loss.item():.4f}")

with torch.no_grad():
    acc = (model(X[700:]).argmax(1) == Y[700:].argmax(1)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
