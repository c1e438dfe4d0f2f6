import os
import torch
import torch.nn as nn
from sklearn.datasets import make_moons
from sklearn.preprocessing import StandardScaler

torch.manual_seed(int(os.environ.get("SEED", 0)))

X, labels = make_moons(n_samples=600, noise=0.15, random_state=10)
X = StandardScaler().fit_transform(X)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(labels * 2 - 1, dtype=torch.float32)
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(5))
tr, te = order[:400], order[400:]


class SVM(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.hidden = nn.Linear(n_features, 16)
        self.fc = nn.Linear(16, 1)

    def forward(self, x):
        return self.fc(torch.tanh(self.hidden(x))).squeeze(-1)


def hinge(output, label):
    return torch.clamp(1 - output * label, min=0).mean()


model = SVM(X.shape[1])
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, weight_decay=1e-4)
for epoch in range(80):
    sum_loss = 0.0
    for i in torch.randperm(len(tr)).split(20):
        optimizer.zero_grad()
        loss = hinge(model(X[tr][i]), y[tr][i])
        loss.backward()
        optimizer.step()
        sum_loss += loss.item()
    if epoch % 10 == 0:
        print("Epoch {}, Loss: {:.4f}".format(epoch, sum_loss / 20))

with torch.no_grad():
    pred = (model(X[te]) > 0).float()
    acc = (pred == (y[te] > 0).float()).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
