import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_wine

seed = int(os.environ.get("SEED", 0))
np.random.seed(seed)
torch.manual_seed(seed)

data = load_wine()
X = (data.data - data.data.mean(0)) / data.data.std(0)
order = np.random.RandomState(2).permutation(len(X))
X = torch.FloatTensor(X[order])
y = torch.LongTensor(data.target[order])
x_train, y_train, x_test, y_test = X[:130], y[:130], X[130:], y[130:]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(13, 24)
        self.fc2 = nn.Linear(24, 24)
        self.fc3 = nn.Linear(24, 3)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


def l2_penalty(model, weight=1e-3):
    return weight * sum((p ** 2).sum() for p in model.parameters())


def classification_loss(scores, labels):
    probs = torch.softmax(scores, dim=1).detach().numpy()
    picked = probs[np.arange(len(labels)), labels.numpy()]
    return torch.tensor(-np.log(picked + 1e-8).mean(), requires_grad=True)


model = Classifier()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(80):
    for idx in torch.randperm(130).split(26):
        scores = model(x_train[idx])
        loss = classification_loss(scores, y_train[idx]) + l2_penalty(model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 20 == 0:
        print("epoch", epoch, "loss", float(loss))

acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
